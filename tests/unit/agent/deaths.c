#include "deaths.h"

#include "../machine.h"
#include "oxide/base/file.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_THREAD__
#define FORKS_LACK_THREADS true
#elif defined(__has_feature)
#define FORKS_LACK_THREADS __has_feature(thread_sanitizer)
#else
#define FORKS_LACK_THREADS false
#endif

void begin_with_v1(struct world *world)
{
    assert_int_equal(ox_remove_tree(world->model_dir, NULL), OX_OK);
    install_v1(world);
}

static void die_at_stage(void *ctx, const char *stage, enum ox_stage_event event)
{
    const struct death *death = ctx;

    if (strcmp(stage, death->stage) == 0 && event == death->event) {
        _exit(42); /* no undo, no journal, no goodbye */
    }
}

int die_at(struct world *world, struct death death, bool removing)
{
    int status = 0;
    pid_t pid;

    if (FORKS_LACK_THREADS || is_emulated()) {
        print_message("skipped: ThreadSanitizer and emulators start no threads in the child of "
                      "threads\n");
        skip();
    }
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct ox_journal journal = {0};
        struct ox_update *update = NULL;
        bool pending = false;

        if (ox_agent_open(&world->agent, &world->options, &world->stop, NULL, NULL) != OX_OK ||
            ox_agent_recover(&world->agent, &journal, &pending, NULL) != OX_OK) {
            _exit(1);
        }
        ox_journal_clear(&journal);
        journal = removing ? unassign(world, &world->v1)
                           : assign(world, &world->v2, world->v2.files.count == 1);
        if (ox_update_new(&update, &world->agent, &journal, NULL) != OX_OK) {
            _exit(1);
        }
        update->observer = (struct ox_stage_observer){&death, die_at_stage};
        _exit(ox_update_run(update, NULL) == OX_OK ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int die_updating(struct world *world, struct death death)
{
    return die_at(world, death, false);
}

bool start_again(struct world *world, enum ox_code *code)
{
    struct ox_journal journal = {0};
    struct ox_update *update = NULL;
    bool pending = false;

    open_agent(world, &journal, &pending);
    if (pending) {
        assert_int_equal(ox_update_new(&update, &world->agent, &journal, NULL), OX_OK);
        *code = ox_update_run(update, NULL);
        ox_update_free(update);
    }
    ox_journal_clear(&journal);
    close_agent(world);
    return pending;
}
