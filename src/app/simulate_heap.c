#include "simulate_world.h"

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void place(struct ox_sim *sim, uint32_t at, struct ox_sim_agent *agent)
{
    sim->heap[at] = agent;
    agent->heap_at = at;
}

static void sift_up(struct ox_sim *sim, struct ox_sim_agent *agent)
{
    uint32_t at = agent->heap_at;

    while (at > 0 && sim->heap[(at - 1) / 2]->due_us > agent->due_us) {
        place(sim, at, sim->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(sim, at, agent);
}

static void sift_down(struct ox_sim *sim, struct ox_sim_agent *agent)
{
    uint32_t at = agent->heap_at;

    for (;;) {
        uint32_t child = at * 2 + 1;

        if (child + 1 < sim->heap_count &&
            sim->heap[child + 1]->due_us < sim->heap[child]->due_us) {
            child++;
        }
        if (child >= sim->heap_count || sim->heap[child]->due_us >= agent->due_us) {
            break;
        }
        place(sim, at, sim->heap[child]);
        at = child;
    }
    place(sim, at, agent);
}

void ox_sim_schedule(struct ox_sim_agent *agent)
{
    struct ox_sim *sim = agent->sim;
    int64_t before_us = agent->due_us;

    agent->due_us = min(min(agent->beat_us, agent->step_us),
                        min(ox_sim_conn_due(agent->beat), ox_sim_conn_due(agent->fetch)));
    if (agent->due_us < before_us) {
        sift_up(sim, agent);
    } else if (agent->due_us > before_us) {
        sift_down(sim, agent);
    }
}
