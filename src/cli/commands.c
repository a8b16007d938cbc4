/*
 * The table of commands. Parsing, help, "did you mean", shell completion and the man pages all come
 * from these rows.
 *
 * To add a command:
 *   1. a row below, in the place where help shall list it; arrays for its words and options above
 *      it if no existing ones fit (an option's name means the same everywhere, and takes a value
 *      everywhere or nowhere);
 *   2. its run function, named in command.h, in cmd_<command>.c or the file of its family;
 *   3. a family (first word of several commands) has a row in ox_families too.
 * Rows in an #if of OX_FULL_BUILD are not in a build of the agent alone.
 * tests/unit/cli holds rows and help together; tests/e2e/cli.sh runs every row's --help.
 */
#include "command.h"

#include "exit_status.h"

#include "oxide/app/agent_settings.h"

#include <string.h>

const struct ox_option ox_global_options[] = {
    {"help", 'h', NULL, NULL, "Show help for the command"},
    {"version", 0, NULL, NULL, "Show the version of oxide"},
    {"verbose", 'v', NULL, NULL, "Say more on standard error"},
#if OX_FULL_BUILD
    {"server", 0, "URL", "$OXIDE_SERVER, else http://127.0.0.1:8080",
     "The control plane to talk to"},
#endif
    {"json", 0, NULL, NULL, "Print JSON for scripts"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct ox_family ox_families[] = {
#if OX_FULL_BUILD
    {"model", "the models that the control plane holds"},
    {"device", "the devices that it knows"},
    {"fleet", "groups of devices"},
    {"campaign", "models on their way to fleets"},
    {"webhook", "receivers that are told what happens"},
    {"delta", "patches between two versions of a model"},
    {"job", "deltas that the control plane makes"},
#endif
    {"agent", "the agent of this machine"},
    {NULL, NULL},
};

bool ox_command_takes(const struct ox_command *command, const struct ox_option *global)
{
    for (const struct ox_option *own = command->options; own != NULL && own->name != NULL; own++) {
        if (strcmp(own->name, global->name) == 0) {
            return false;
        }
    }
    if (strcmp(global->name, "server") == 0) {
        return (command->takes & OX_TAKES_SERVER) != 0;
    }
    if (strcmp(global->name, "json") == 0) {
        return (command->takes & OX_TAKES_JSON) != 0;
    }
    return true;
}

/* the agent's flags are its settings; before any macro here that is called like one of them */
#define AGENT_OPTION(name, section, key, flag, kind, min, max, value, fallback, shown, scope,      \
                     change, help)                                                                 \
    {flag, 0, value, shown, help},
static const struct ox_option agent_options[] = {
    OX_AGENT_SETTINGS(AGENT_OPTION){
        "config", 0, "FILE", "/etc/oxide/agent.conf, if there",
        "Settings, and then those in FILE.d/*.conf; variables of the environment win over them, "
        "flags over all (docs/agent-settings.md)"},
    {"check-config", 0, NULL, NULL,
     "Only print what is set, from where, or what is wrong, and end"},
    {"sample-config", 0, NULL, NULL, "Print a file of all settings, and end"},
    {NULL, 0, NULL, NULL, NULL},
};

/* clang-format off */
#define OPTIONS(...) (const struct ox_option[]){__VA_ARGS__, {NULL, 0, NULL, NULL, NULL}}
#define WORDS(...) (const struct ox_positional[]){__VA_ARGS__, {NULL, OX_WORD_ONE, NULL}}

/* rows that several commands share */
#define OX_EXITS_AGENT                                                                             \
    (OX_EXIT_BIT(OX_EXIT_NOT_FOUND) | OX_EXIT_BIT(OX_EXIT_CONFLICT) |                              \
     OX_EXIT_BIT(OX_EXIT_BAD_INPUT) | OX_EXIT_BIT(OX_EXIT_NO_SPACE) |                              \
     OX_EXIT_BIT(OX_EXIT_DENIED))
#define THE_AGENT                                                                                  \
    {"model-dir", 0, "DIR", "as the agent's settings say", "The folder of the agent's models"},    \
    {"config", 0, "FILE", "/etc/oxide/agent.conf, if there", "The agent's settings"}
#define OX_EXITS_DOCTOR                                                                            \
    (OX_EXIT_BIT(OX_EXIT_NOT_FOUND) | OX_EXIT_BIT(OX_EXIT_CONFLICT) |                              \
     OX_EXIT_BIT(OX_EXIT_NO_SPACE) | OX_EXIT_BIT(OX_EXIT_DENIED))
#define DOCTOR_HOW                                                                                 \
    {"quick", 0, NULL, NULL, "Compare sizes only, hash nothing"},                                  \
    {"fix", 0, NULL, NULL,                                                                         \
     "Remove what the stopped server or agent would remove by itself, and count anew what can be " \
     "counted"}
#define POLICY                                                                                     \
    {"rollout", 0, "all_at_once|rolling|canary|exponential", "the fleet's",                        \
     "How to go about it: all devices at once; so many at a time; growing shares; or stages that " \
     "grow by a factor"},                                                                          \
    {"stages", 0, "PERCENT,...", "5,25,50,100", "Canary: shares of all devices, ending with 100"}, \
    {"batch", 0, "N", "5", "Rolling: devices at a time"},                                          \
    {"start", 0, "N", "10", "Exponential: devices of the first stage"},                            \
    {"factor", 0, "F", "2", "Exponential: how many times as many devices at each stage"},          \
    {"wait-between", 0, "TIME", "60s rolling, 300s canary", "At least so long between two stages"},\
    {"gate", 0, "KEY=VALUE,...", "canary, exponential: failed=0",                                  \
     "What must hold to leave a stage: success=PERCENT, failed=N or PERCENT%, min=DEVICES (before "\
     "shares are judged), soak=TIME; or none"},                                                    \
    {"approve-stages", 0, NULL, NULL,                                                              \
     "Each stage after the first waits for 'oxide campaign approve'; unless --gate says more, a "  \
     "failure pauses the campaign"},                                                               \
    {"halt", 0, "CLASS:LIMIT", NULL,                                                               \
     "Halt at more failures than this, a number or PERCENT%, with :min=DEVICES behind it if "      \
     "wanted; CLASS is any, download, verify, apply, health, silent, rollback, fallback, disk, "   \
     "preflight or other; may be repeated"},                                                                    \
    {"on-halt", 0, "pause|abort|revert", "pause",                                                  \
     "What halting does; revert: end it, and send back the devices that were updated"},            \
    {"silent-after", 0, "PHASE=TIME,...", "30m each",                                              \
     "A device that has begun and is not heard of for so long has failed; PHASE is downloading, "  \
     "applying or verifying"},                                                                     \
    {"in-flight", 0, "N", "no limit", "Devices at a time at most"},                                \
    {"starts-per-minute", 0, "N", "no limit", "Devices that begin in a minute at most"},           \
    {"rate", 0, "BYTES", "no limit", "Bytes per second of all downloads together"},                \
    {"window", 0, "TIMES", "always",                                                               \
     "When devices may begin, in their own time: 'mon-fri 22:00-05:00'; may be repeated"},         \
    {"deadline", 0, "TIME", "none", "Abort it after this long"},                                   \
    {"fallback", 0, "never|limited|always", "limited",                                             \
     "May devices whose delta failed fetch the full file?"},                                       \
    {"fallback-percent", 0, "PERCENT", "1", "With limited: so many of all devices"},               \
    {"max-bytes-per-device", 0, "SIZE", "no limit", "Pause before a device would fetch more"},     \
    {"max-bytes", 0, "SIZE", "no limit", "Pause when all devices have fetched so much"},           \
    {"on-conflict", 0, "supersede|refuse", "supersede",                                            \
     "Devices that another campaign of the model is updating: take them over, or do nothing"},     \
    {"late-delta", 0, "wait|full", "wait",                                                         \
     "Wait for deltas however long they take, or no longer than 'oxide serve --delta-wait'"},      \
    {"follow", 0, NULL, NULL, "Take in devices that join the fleet meanwhile"},                    \
    {"policy", 0, "FILE", NULL,                                                                    \
     "JSON with all of these, as docs/campaigns.md has it; options win over it"}
#define FLEET {"fleet", 0, "ID", NULL, "The fleet that gets it"}
#define DEVICES {"device", 0, "ID", NULL, "A device that gets it; may be repeated"}
#define WAIT {"wait", 0, NULL, NULL, "Stay until the campaign ends; the exit status tells how"}
#define NO_WAIT {"no-wait", 0, NULL, NULL, "Do not stay, also on a terminal"}
#define WAIT_TIMEOUT {"timeout", 0, "TIME", "no limit", "Wait no longer than this; it goes on"}
#define LOG_FORMAT                                                                                 \
    {"log-format", 0, "auto|text|json", "auto",                                                    \
     "Log lines for people or for machines; auto: text on a terminal, JSON otherwise"}
#define SORT(fields)                                                                               \
    {"sort", 0, "FIELD", NULL, "Sort by " fields "; -FIELD turns it around"}
#define LIMIT {"limit", 0, "N", "all", "Rows at most"}
#define FILTER(help) {"filter", 0, "EXPR", NULL, help}
#define WHO_PASS FILTER("Devices that pass it now (docs/filter.md)")
#define TAGS {"tag", 0, "KEY=VALUE", NULL, "A tag; may be repeated"}
#define FORCE {"force", 'f', NULL, NULL, "Replace what stands there"}
#define VARIANT {"variant", 0, "NAME", NULL, "A variant of the version (f16, int8, q4)"}

/* what is said of a version */
#define LINEAGE                                                                                    \
    {"label", 0, "KEY=VALUE", NULL, "A label, or a key alone; may be repeated"},                   \
    {"parent", 0, "VERSION", NULL, "What it came from: VERSION, or MODEL@VERSION of another model"},\
    {"commit", 0, "REV", NULL, "The commit of the code that made it"},                             \
    {"data-digest", 0, "DIGEST", NULL, "The digest of the data that it was trained on"},           \
    {"metric", 0, "NAME=NUMBER", NULL, "A number that tells how good it is; may be repeated"},     \
    {"notes", 0, "TEXT", NULL, "What else people should know"},                                    \
    VARIANT,                                                                                       \
    {"requires", 0, "FILTER", NULL, "The devices that this variant is for; all if left out"},      \
    {"rank", 0, "0..1000", "100", "Its place among the variants: the lowest is preferred"}
/* clang-format on */

#define REMOTE (OX_TAKES_SERVER | OX_TAKES_JSON)

const struct ox_command ox_commands[] = {
#if OX_FULL_BUILD
    {"serve", "Run the control plane",
     "Holds models, devices and campaigns in one folder, makes the deltas, and serves them. Prints "
     "the address that it listens on once it is ready; logs to standard error. SIGTERM or ctrl-c "
     "ends it cleanly, with status 0.",
     NULL,
     OPTIONS(
         {"listen", 0, "HOST:PORT", "127.0.0.1:8080", "Where to listen; port 0 picks a free one"},
         {"host", 0, "HOST", NULL, "As in --listen, the host alone"},
         {"port", 0, "PORT", NULL, "As in --listen, the port alone"},
         {"data", 0, "DIR", "oxide-data", "Where everything is kept; made if absent"},
         {"insecure", 0, NULL, NULL,
          "Allow to listen beyond loopback: there is no authentication yet"},
         {"blob-url", 0, "URL", NULL,
          "Where devices may fetch blobs first (a CDN, nginx); may be repeated"},
         {"delta-workers", 0, "N", "processors less one", "Threads that make deltas"},
         {"delta-effort", 0, "1..9", "3",
          "How hard to try for small deltas: 1 is fast, 9 makes the smallest"},
         {"delta-queue", 0, "N", "1024",
          "Deltas that are queued at a time; the least awaited give way"},
         {"delta-cache", 0, "BYTES", "16G", "Patches that are kept; the least recently used go"},
         {"gc-grace", 0, "TIME", "1h", "How long a blob is kept that nothing refers to yet"},
         {"forget-after", 0, "TIME", "90d", "When a silent device stops keeping what it runs"},
         {"delta-wait", 0, "TIME", "10m",
          "With the policy late_delta: full (oxide deploy --late-delta): how long an assignment "
          "waits for its delta before the full file will do; else it waits however long"},
         {"poll-interval", 0, "SECONDS", "as devices say", "How often devices shall come back"},
         {"accept", 0, "manual|auto", "manual",
          "Devices that ask and are not known wait to be accepted, or are registered at once"},
         {"reimage-after", 0, "TIME", "three polls",
          "How long a device must be silent before another installation may take its place; never: "
          "an operator always decides"},
         {"history-keep", 0, "TIME", "400d",
          "How long it is known what ran where; forever: always"},
         {"events-keep", 0, "N", "1000000", "Events that the log holds at most"},
         {"events-age", 0, "TIME", "90d", "How long the log holds events"}, LOG_FORMAT),
     "oxide serve --data /var/lib/oxide\noxide serve --listen 127.0.0.1:0 --data ./data",
     OX_RUNS_ON,
     OX_EXIT_BIT(OX_EXIT_CONFLICT) | OX_EXIT_BIT(OX_EXIT_BAD_INPUT) |
         OX_EXIT_BIT(OX_EXIT_NO_SPACE) | OX_EXIT_BIT(OX_EXIT_DENIED),
     ox_run_serve},
#endif
    {"agent", "Run the agent of a device",
     "Asks the control plane what to run, fetches it by the smallest way, verifies it, switches to "
     "it at once, checks its health, and rolls back if that fails. The model is at "
     "DIR/MODEL/current, unless --layout says otherwise. SIGTERM or ctrl-c ends it cleanly, with "
     "status 0; SIGHUP lets it read its settings again.",
     NULL, agent_options,
     "oxide agent --control-plane http://10.0.0.1:8080 --device-id cam-01 --poll-interval 30\n"
     "oxide agent --device-id 'cam-{serial}' --health-check 'my-app --try \"$OXIDE_MODEL_PATH\"'\n"
     "oxide agent --check-config",
     OX_RUNS_ON | OX_TAKES_JSON,
     OX_EXIT_BIT(OX_EXIT_NOT_FOUND) | OX_EXIT_BIT(OX_EXIT_CONFLICT) |
         OX_EXIT_BIT(OX_EXIT_NO_SPACE) | OX_EXIT_BIT(OX_EXIT_DENIED),
     ox_run_agent},
    {"agent status", "What the agent of this machine does",
     "Asks the agent that runs: its models, the update under way with its stage, how far it is "
     "and how fast, how the last one ended, when it asks the control plane again, and what failed "
     "here.",
     NULL, OPTIONS(THE_AGENT), "oxide agent status\noxide agent status --json", OX_TAKES_JSON,
     OX_EXIT_BIT(OX_EXIT_NOT_FOUND) | OX_EXIT_BIT(OX_EXIT_UNREACHABLE) |
         OX_EXIT_BIT(OX_EXIT_DENIED),
     ox_run_agent_status},
    {"agent rollback", "Go back to the version before",
     "Switches to the version that was active before, checks it, and quarantines the one that was: "
     "the control plane cannot bring it again, unless it is freed or comes with other bytes. What "
     "was installed first is taken away.",
     WORDS({"MODEL", OX_WORD_ONE, "The model"}), OPTIONS(THE_AGENT), "oxide agent rollback yolo", 0,
     OX_EXITS_AGENT, ox_run_agent_rollback},
    {"agent apply", "Bring a version from a file, a folder or a patch",
     "From a USB stick, say: through the same stages and checks as what is downloaded, by the "
     "agent that runs or else in its place. A patch tells itself which model it is for.",
     WORDS({"PATH", OX_WORD_ONE, "A file or folder, or a patch of 'oxide delta create'"}),
     OPTIONS({"model", 0, "MODEL", "told by the patch", "Whose version it is"},
             {"version", 0, "VERSION", "local-DIGEST", "The name of this version"}, THE_AGENT),
     "oxide agent apply /media/usb/v7.oxdl --version v7\n"
     "oxide agent apply /media/usb/yolo.onnx --model yolo --version v7",
     0, OX_EXITS_AGENT, ox_run_agent_apply},
    {"agent adopt", "Take over a model that is here already",
     "Copies it to where the agent keeps models and makes it active there; from then on it is a "
     "base for patches, if the control plane knows its digest.",
     WORDS({"MODEL", OX_WORD_ONE, "The model, which the agent does not keep yet"},
           {"PATH", OX_WORD_ONE, "The file or folder"}),
     OPTIONS({"version", 0, "VERSION", "local-DIGEST", "The name of this version"}, THE_AGENT),
     "oxide agent adopt yolo /opt/app/yolo.onnx --version v6", 0, OX_EXITS_AGENT,
     ox_run_agent_adopt},
    {"agent free", "Let a version be tried again that failed here",
     "Forgets its failures on this device; the control plane has a list of its own ('oxide device "
     "free').",
     WORDS({"MODEL", OX_WORD_ONE, "The model"},
           {"VERSION", OX_WORD_OPTIONAL, "The version; without it, all of the model"}),
     OPTIONS(THE_AGENT), "oxide agent free yolo v7", OX_TAKES_JSON,
     OX_EXIT_BIT(OX_EXIT_NOT_FOUND) | OX_EXIT_BIT(OX_EXIT_UNREACHABLE) |
         OX_EXIT_BIT(OX_EXIT_DENIED),
     ox_run_agent_free},
#if OX_FULL_BUILD
    {"simulate", "Simulate many agents, to plan capacity and to test",
     "Registers devices and lets them poll, fetch, apply, check and report as real agents do, over "
     "real sockets, in one process; what they fetch is thrown away. Shows latencies, bytes, errors "
     "and what campaigns did to them. Ends after --duration, or by ctrl-c, with status 0. Who "
     "fails, falls silent or is restarted follows from --seed, device and version.",
     NULL,
     OPTIONS({"agents", 0, "N", NULL, "How many (required)"},
             {"poll", 0, "TIME", "60", "How often they ask, until the server says"},
             {"ramp", 0, "TIME", "as --poll", "Spread their first heartbeats over this time"},
             {"fail", 0, "P", "0", "Share of devices whose health check fails, from 0 to 1"},
             {"bad-version", 0, "VERSION", NULL, "With --fail: of this version alone"},
             {"silent", 0, "P", "0", "Share of devices that fall silent in an update"},
             {"silent-for", 0, "TIME", "for good", "With --silent: they come back after this long"},
             {"restart", 0, "P", "0", "Share of devices that are restarted in an update"},
             {"rate", 0, "BPS", "no limit", "Bytes per second that each fetches at most"},
             {"apply-time", 0, "TIME", "1", "How long applying takes, give or take a half"},
             {"check-time", 0, "TIME", "1", "How long checking takes, give or take a half"},
             {"verify", 0, NULL, NULL, "Hash what is fetched"},
             {"prefix", 0, "TEXT", "sim-", "Begin of the ids; a number follows"},
             {"registered", 0, NULL, NULL, "They are registered already"},
             {"fleet", 0, "ID", NULL, "Put them into this fleet, made if absent"},
             {"tag", 0, "NAME=VALUE,...", NULL,
              "Register them with this tag, the values in turn; may be repeated"},
             {"model", 0, "MODEL", NULL, "They run a version of this model at first"},
             {"model-version", 0, "VERSION", NULL, "With --model: which"},
             {"duration", 0, "TIME", "until ctrl-c", "End after this long"},
             {"seed", 0, "N", "1", "Another number draws other devices"},
             {"agents-file", 0, "FILE", NULL, "Write a line of JSON per agent at the end"}),
     "oxide simulate --agents 10000 --fleet f --model yolo --model-version v1\n"
     "oxide simulate --agents 1000 --poll 2 --fail 0.1 --bad-version v2 --duration 5m --json",
     REMOTE | OX_RUNS_ON, OX_EXITS_REMOTE, ox_run_simulate},
    {"push", "Publish a file or folder as a version of a model",
     "Sends only what the control plane does not hold yet, goes on where an earlier push broke "
     "off, "
     "and may be repeated: the same bytes again change nothing. In a folder every regular file "
     "counts but hidden ones; symlinks inside it are followed.",
     WORDS({"MODEL", OX_WORD_ONE, "The model"},
           {"VERSION", OX_WORD_ONE, "The name of this version"},
           {"PATH", OX_WORD_ONE, "The file or folder"}),
     OPTIONS(LINEAGE),
     "oxide push defect v2 model-v2.onnx\n"
     "oxide push llama 2026-11 ./snapshots/4f1c/ --parent 2026-10 --metric loss=1.92\n"
     "oxide push defect v2 model-v2-int8.onnx --variant int8 --requires 'platform.arch = "
     "\"aarch64\"'",
     REMOTE, OX_EXITS_REMOTE | OX_EXIT_BIT(OX_EXIT_NO_SPACE) | OX_EXIT_BIT(OX_EXIT_DENIED),
     ox_run_push},
    {"deploy", "Roll a version out to a fleet or to devices",
     "Makes a campaign. Without VERSION the newest one is taken.",
     WORDS({"MODEL", OX_WORD_ONE, "The model"},
           {"VERSION", OX_WORD_OPTIONAL, "Its version; the newest if left out"}),
     OPTIONS(FLEET, DEVICES, WHO_PASS, POLICY, WAIT, WAIT_TIMEOUT),
     "oxide deploy defect v2 --fleet factory --rollout canary\n"
     "oxide deploy defect v2 --fleet factory --stages 1,10,50,100 --gate success=95,soak=30m \\\n"
     "    --halt health:3 --halt any:10%:min=20 --on-halt revert --window 'mon-fri 22:00-05:00'\n"
     "oxide deploy defect v2 --device cam-01 --wait\n"
     "oxide deploy defect v2 --filter 'tag.site = graz and not pinned'",
     REMOTE, OX_EXITS_OUTCOME, ox_run_deploy},
    {"revert", "Send devices back to what they ran before, at once",
     "Asks nothing, and heeds no windows; an update that is under way is superseded. A device that "
     "has kept its former version fetches nothing. On a terminal it stays and shows how many are "
     "still to go; in scripts it does so with --wait. From devices that ran nothing of the model "
     "before it is removed. Devices that ran what is not held here, or whose agent cannot remove a "
     "model, are skipped; it says how many.",
     WORDS({"MODEL", OX_WORD_ONE, "The model"}),
     OPTIONS(FLEET, DEVICES, WHO_PASS,
             {"to", 0, "VERSION", "what each ran before", "One version for all"}, WAIT, NO_WAIT,
             WAIT_TIMEOUT),
     "oxide revert defect --fleet factory\n"
     "oxide revert defect --device cam-01 --to v1 --wait --timeout 15m",
     REMOTE, OX_EXITS_OUTCOME, ox_run_revert},
    {"model list", "List the models", NULL, NULL,
     OPTIONS(LIMIT, SORT("id, versions, size or uploaded")),
     "oxide model list\noxide model list --sort -size --limit 10", REMOTE,
     OX_EXIT_BIT(OX_EXIT_UNREACHABLE), ox_run_model_list},
    {"model show", "Show the versions of a model as a tree, or one version",
     "Versions grow from what they came from (--parent), in Unicode on a terminal that speaks it.",
     WORDS({"MODEL", OX_WORD_ONE, "The model"}, {"VERSION", OX_WORD_OPTIONAL, "One version"}),
     OPTIONS(VARIANT), "oxide model show defect\noxide model show defect v2 --json", REMOTE,
     OX_EXITS_REMOTE, ox_run_model_show},
    {"model diff", "Show what changed between two versions, and what the delta costs",
     "Tensor by tensor, what changed the most first; what each costs is told once the control "
     "plane "
     "has made the patch. RELATIVE is how large the change of the numbers is beside the numbers "
     "(root of the sum of squares).",
     WORDS({"MODEL", OX_WORD_ONE, "The model"}, {"V1", OX_WORD_ONE, "The version before"},
           {"V2", OX_WORD_ONE, "The version after"}),
     OPTIONS({"variant", 0, "NAME", NULL,
              "The variant of both; given twice: of V1, and of V2, which may be the same version"},
             {"all", 0, NULL, NULL, "Show all tensors, also those that did not change"},
             {"make", 0, NULL, NULL, "Have the patch made if there is none, and wait for it"}),
     "oxide model diff defect v1 v2\noxide model diff defect v1 v2 --make --all\n"
     "oxide model diff defect v2 v2 --variant f16 --variant int8",
     REMOTE, OX_EXITS_REMOTE, ox_run_model_diff},
    {"model label", "Set and remove labels of a version",
     "KEY=VALUE and KEY set a label, KEY- removes it.",
     WORDS({"MODEL", OX_WORD_ONE, "The model"}, {"VERSION", OX_WORD_ONE, "Its version"},
           {"LABEL", OX_WORD_MANY, "The labels"}),
     NULL, "oxide model label defect v2 prod site=graz beta-", REMOTE, OX_EXITS_REMOTE,
     ox_run_model_label},
    {"model edit", "Change what is said of a version",
     "An empty value takes back what is said. With --variant, --requires, --rank and --metric are "
     "of that one.",
     WORDS({"MODEL", OX_WORD_ONE, "The model"}, {"VERSION", OX_WORD_ONE, "Its version"}),
     OPTIONS(LINEAGE),
     "oxide model edit defect v2 --parent v1 --commit 4f1c2ab --metric accuracy=0.91\n"
     "oxide model edit defect v2 --variant int8 --rank 10",
     REMOTE, OX_EXITS_REMOTE, ox_run_model_edit},
    {"model remove", "Remove a version that nothing needs",
     "Refused while a device runs it, a campaign or a fleet is to run it, or a delta is made with "
     "it; the message says which.",
     WORDS({"MODEL", OX_WORD_ONE, "The model"}, {"VERSION", OX_WORD_ONE, "Its version"}),
     OPTIONS(VARIANT), "oxide model remove defect v1\noxide model remove defect v2 --variant q4",
     REMOTE, OX_EXITS_REMOTE, ox_run_model_remove},
    {"model retention", "Show or say which versions of a model are kept",
     "A version is removed once no option keeps it and nothing needs it: no device, campaign, "
     "fleet "
     "or delta. Without MODEL the rule is for all models that have none of their own; without any "
     "rule all versions are kept.",
     WORDS({"MODEL", OX_WORD_OPTIONAL, "The model"}),
     OPTIONS({"keep", 0, "N", NULL, "Keep the newest N versions"},
             {"keep-label", 0, "LABEL", NULL,
              "Keep versions with this label, KEY or KEY=VALUE; may be repeated"},
             {"keep-for", 0, "TIME", NULL, "Keep versions for so long after they were published"},
             {"off", 0, NULL, NULL, "Remove the rule"}),
     "oxide model retention defect --keep 5 --keep-label prod\n"
     "oxide model retention --keep 20 --keep-for 30d",
     REMOTE, OX_EXITS_REMOTE, ox_run_model_retention},
    {"model where", "List the devices that run a model, or ran it at a time", NULL,
     WORDS({"MODEL", OX_WORD_ONE, "The model"},
           {"VERSION", OX_WORD_OPTIONAL, "Those of this version alone"}),
     OPTIONS({"at", 0, "TIME", "now", "At this time: 2026-11-20T13:05Z, or the date alone"},
             {"summary", 0, NULL, NULL, "Only how many devices run each version"}, LIMIT,
             SORT("device or from")),
     "oxide model where defect\noxide model where defect v2 --at 2026-11-20T13:05Z --json\n"
     "oxide model where defect --summary",
     REMOTE, OX_EXITS_REMOTE, ox_run_model_where},
    {"gc", "Remove what nothing needs",
     "Versions that rules of retention let go, patches over the delta cache's budget, blobs that "
     "nothing refers to. The control plane does it by itself, in small steps; this does it now.",
     NULL, OPTIONS({"dry-run", 'n', NULL, NULL, "Only show what would go"}),
     "oxide gc --dry-run\noxide gc", REMOTE, OX_EXITS_REMOTE, ox_run_gc},
    {"device register", "Make a device known",
     "Again with the same ID it replaces the name and the tags.",
     WORDS({"ID", OX_WORD_ONE, "The device"}),
     OPTIONS({"name", 0, "NAME", "the ID", "A name for people"}, TAGS),
     "oxide device register cam-01 --name \"East Camera\" --tag site=graz", REMOTE, OX_EXITS_REMOTE,
     ox_run_device_register},
    {"device list", "List the devices", NULL, NULL,
     OPTIONS(FILTER("Those that pass it (docs/filter.md)"),
             {"fleet", 0, "ID", NULL, "Those of a fleet"},
             {"runs", 0, "MODEL[@VERSION]", NULL, "Those that run it"},
             {"status", 0, "online|offline|updating|error|unknown|conflict", NULL,
              "Those with this status"},
             LIMIT, SORT("id, name, last_seen or registered")),
     "oxide device list --filter 'tag.site = graz and not model.yolo >= 3'\n"
     "oxide device list --fleet factory --status offline --sort last_seen --limit 20",
     REMOTE, OX_EXITS_REMOTE, ox_run_device_list},
    {"device show", "Show one device", "What it is, what it runs, and who speaks under its id.",
     WORDS({"ID", OX_WORD_ONE, "The device"}), NULL, "oxide device show cam-01", REMOTE,
     OX_EXITS_REMOTE, ox_run_device_show},
    {"device status", "The same as device show", NULL, WORDS({"ID", OX_WORD_ONE, "The device"}),
     NULL, "oxide device status cam-01", REMOTE, OX_EXITS_REMOTE, ox_run_device_show},
    {"device history", "Show what a device ran, and when",
     "The newest first; also of a device that was removed.",
     WORDS({"ID", OX_WORD_ONE, "The device"}),
     OPTIONS({"model", 0, "MODEL", NULL, "Of this model alone"}, LIMIT, SORT("id or from")),
     "oxide device history cam-01\noxide device history cam-01 --model defect --limit 5", REMOTE,
     OX_EXITS_REMOTE, ox_run_device_history},
    {"device pin", "Keep what a device runs as it is",
     "Campaigns pass it by, and what is under way there ends. Without MODEL that is so for all "
     "models.",
     WORDS({"ID", OX_WORD_ONE, "The device"}, {"MODEL", OX_WORD_OPTIONAL, "The model"}),
     OPTIONS({"reason", 0, "TEXT", NULL, "Why: it is shown with the pin"}),
     "oxide device pin cam-01 defect --reason \"trade fair until Friday\"", REMOTE, OX_EXITS_REMOTE,
     ox_run_device_pin},
    {"device unpin", "Let a device follow campaigns again",
     "It catches up with what its fleets run.",
     WORDS({"ID", OX_WORD_ONE, "The device"}, {"MODEL", OX_WORD_OPTIONAL, "The model"}), NULL,
     "oxide device unpin cam-01 defect", REMOTE, OX_EXITS_REMOTE, ox_run_device_unpin},
    {"device pending", "List the devices that ask and are not known", NULL, NULL,
     OPTIONS({"state", 0, "pending|rejected", "pending", "Those that wait, or were rejected"},
             LIMIT, SORT("id, first_seen or last_seen")),
     "oxide device pending\noxide device pending --sort -first_seen --limit 20", REMOTE,
     OX_EXIT_BIT(OX_EXIT_UNREACHABLE), ox_run_device_pending},
    {"device accept", "Register a device that asks", NULL, WORDS({"ID", OX_WORD_ONE, "The device"}),
     OPTIONS({"name", 0, "NAME", "the ID", "A name for people"},
             {"fleet", 0, "ID", NULL, "The fleet that it joins"}, TAGS),
     "oxide device accept cam-17 --fleet factory --tag site=graz --tag line=3", REMOTE,
     OX_EXITS_REMOTE, ox_run_device_accept},
    {"device reject", "List a device that asks no more", "It may still be accepted later.",
     WORDS({"ID", OX_WORD_ONE, "The device"}), NULL, "oxide device reject cam-17", REMOTE,
     OX_EXITS_REMOTE, ox_run_device_reject},
    {"device split", "Make a device of the second installation under an id",
     "For a card that was copied: the second one is told its new id, keeps it, and joins the "
     "fleets of the first one.",
     WORDS({"ID", OX_WORD_ONE, "The device"}),
     OPTIONS({"as", 0, "NEW", "ID-INSTANCE", "The id of the new device"},
             {"instance", 0, "INSTANCE", "the first that came", "Which one becomes a new device"}),
     "oxide device split cam-01 --as cam-02", REMOTE, OX_EXITS_REMOTE, ox_run_device_split},
    {"device replace", "Say which installation is the device",
     "For a device that was set up anew, or a card that shall no longer count: the others are told "
     "so, and are given nothing.",
     WORDS({"ID", OX_WORD_ONE, "The device"}),
     OPTIONS({"instance", 0, "INSTANCE", "the newest", "Which one is the device"}),
     "oxide device replace cam-01", REMOTE, OX_EXITS_REMOTE, ox_run_device_replace},
    {"device tag", "Set a device's tags, or take them away",
     "KEY=VALUE sets a tag, KEY- takes it away; the others stay. Filters ask for tags.",
     WORDS({"ID", OX_WORD_ONE, "The device"},
           {"CHANGE", OX_WORD_MANY, "KEY=VALUE or KEY-; several may be given"}),
     NULL, "oxide device tag cam-01 site=graz line=4\noxide device tag cam-01 line-", REMOTE,
     OX_EXITS_REMOTE, ox_run_device_tag},
    {"device remove", "Forget a device", "What it runs stays on it.",
     WORDS({"ID", OX_WORD_ONE, "The device"}), NULL, "oxide device remove cam-01", REMOTE,
     OX_EXITS_REMOTE, ox_run_device_remove},
    {"device quarantine", "List versions that are not given to devices any more",
     "A version that failed its verification or its check three times on a device is not given to "
     "that device again, until it is freed or the version has other bytes.",
     WORDS({"ID", OX_WORD_OPTIONAL, "Those of one device"}), NULL,
     "oxide device quarantine\noxide device quarantine cam-01", REMOTE,
     OX_EXIT_BIT(OX_EXIT_UNREACHABLE), ox_run_device_quarantine},
    {"device free", "Let a device have its quarantined versions again", NULL,
     WORDS({"ID", OX_WORD_ONE, "The device"},
           {"MODEL", OX_WORD_OPTIONAL, "Those of one model; all if left out"}),
     NULL, "oxide device free cam-01\noxide device free cam-01 defect", REMOTE, OX_EXITS_REMOTE,
     ox_run_device_free},
    {"fleet create", "Make a fleet",
     "Its devices are those that are put into it ('oxide fleet add') or, with --filter, those that "
     "pass the filter at any time; a campaign takes those that pass when it starts.",
     WORDS({"ID", OX_WORD_ONE, "The fleet"}),
     OPTIONS({"name", 0, "NAME", "the ID", "A name for people"},
             {"description", 0, "TEXT", NULL, "What it is for"},
             FILTER("Who is in it (docs/filter.md)")),
     "oxide fleet create factory --name \"Factory Floor\"\n"
     "oxide fleet create graz-arm --filter 'tag.site = graz and platform.arch = aarch64'",
     REMOTE, OX_EXITS_REMOTE, ox_run_fleet_create},
    {"fleet list", "List the fleets", NULL, NULL,
     OPTIONS({"device", 0, "ID", NULL, "Those that a device is in"}, LIMIT,
             SORT("id, name or created")),
     "oxide fleet list\noxide fleet list --device cam-01", REMOTE, OX_EXIT_BIT(OX_EXIT_UNREACHABLE),
     ox_run_fleet_list},
    {"fleet status", "Show how the devices of a fleet are", NULL,
     WORDS({"ID", OX_WORD_ONE, "The fleet"}), NULL, "oxide fleet status factory", REMOTE,
     OX_EXITS_REMOTE, ox_run_fleet_status},
    {"fleet edit", "Change a fleet: its name, its description, its filter",
     "A filter in place of a list of devices wants --force, which lets the list go. --no-filter "
     "keeps those who pass the filter now, as a list.",
     WORDS({"ID", OX_WORD_ONE, "The fleet"}),
     OPTIONS(FILTER("Who is in it from now on (docs/filter.md)"),
             {"no-filter", 0, NULL, NULL, "Keep who is in it now, as a list"},
             {"name", 0, "NAME", NULL, "A name for people"},
             {"description", 0, "TEXT", NULL, "What it is for"}, FORCE),
     "oxide fleet edit graz --filter 'tag.site = graz'\noxide fleet edit graz --no-filter", REMOTE,
     OX_EXITS_REMOTE, ox_run_fleet_edit},
    {"fleet delete", "Remove a fleet; its devices stay",
     "Not while a campaign to it is under way, or the filter of another fleet asks for it.",
     WORDS({"ID", OX_WORD_ONE, "The fleet"}), NULL, "oxide fleet delete factory", REMOTE,
     OX_EXITS_REMOTE, ox_run_fleet_delete},
    {"fleet add", "Put devices into a fleet", NULL,
     WORDS({"FLEET", OX_WORD_ONE, "The fleet"}, {"DEVICE", OX_WORD_MANY, "The devices"}), NULL,
     "oxide fleet add factory cam-01 cam-02", REMOTE, OX_EXITS_REMOTE, ox_run_fleet_add},
    {"fleet remove", "Take devices out of a fleet", NULL,
     WORDS({"FLEET", OX_WORD_ONE, "The fleet"}, {"DEVICE", OX_WORD_MANY, "The devices"}), NULL,
     "oxide fleet remove factory cam-02", REMOTE, OX_EXITS_REMOTE, ox_run_fleet_remove},
    {"campaign create", "Start a campaign for a fleet or for devices", NULL,
     WORDS({"MODEL", OX_WORD_ONE, "The model"}, {"VERSION", OX_WORD_ONE, "Its version"}),
     OPTIONS(FLEET, DEVICES, WHO_PASS, POLICY, WAIT, WAIT_TIMEOUT),
     "oxide campaign create defect v2 --fleet factory --rollout rolling", REMOTE, OX_EXITS_OUTCOME,
     ox_run_deploy},
    {"campaign plan", "Tell what a campaign would do, without making it",
     "Devices by stage and variant, why others are skipped, the versions that they run with the "
     "bytes that each would fetch, the disk and the time that it takes, and what would hold it. "
     "Bytes of deltas that are not made yet are not known: --prepare has them made, and waits for "
     "them.",
     WORDS({"MODEL", OX_WORD_ONE, "The model"},
           {"VERSION", OX_WORD_OPTIONAL, "Its version; the newest if left out"}),
     OPTIONS(FLEET, DEVICES, WHO_PASS, POLICY,
             {"link", 0, "BITS_PER_S", NULL,
              "What a device fetches per second, such as 10M, for the time it takes"},
             {"prepare", 0, NULL, NULL, "Make the deltas that are missing, now"}, WAIT_TIMEOUT),
     "oxide campaign plan defect v2 --fleet factory --rollout canary --link 10M\n"
     "oxide campaign plan defect v2 --fleet factory --prepare --json",
     REMOTE, OX_EXITS_REMOTE | OX_EXIT_BIT(OX_EXIT_TIMED_OUT), ox_run_campaign_plan},
    {"campaign list", "List the campaigns", NULL, NULL,
     OPTIONS(
         {"state", 0, "pending|rolling_out|paused|complete|aborted", NULL, "Those in this state"},
         {"model", 0, "ID", NULL, "Those of a model"},
         {"fleet", 0, "ID", NULL, "Those for a fleet"},
         {"device", 0, "ID", NULL, "Those that a device is in"}, LIMIT,
         SORT("created, id, model or state")),
     "oxide campaign list\noxide campaign list --state rolling_out --sort -created --limit 5",
     REMOTE, OX_EXIT_BIT(OX_EXIT_UNREACHABLE), ox_run_campaign_list},
    {"campaign devices", "List the devices in a campaign, and how far each is", NULL,
     WORDS({"ID", OX_WORD_ONE, "The campaign"}),
     OPTIONS({"state", 0, "pending|downloading|applying|verifying|complete|failed|skipped", NULL,
              "Those in this state"},
             {"class", 0,
              "download|verify|apply|health|silent|rollback|fallback|disk|preflight|other", NULL,
              "Those that failed by this"},
             LIMIT, SORT("place (in which they are released), id, state or updated")),
     "oxide campaign devices ID --state failed", REMOTE, OX_EXITS_REMOTE, ox_run_campaign_devices},
    {"campaign show", "Show how a campaign goes",
     "How far it is, what it waits for, and what of its policy is not as it is by default; its "
     "devices where they are few, else those that failed.",
     WORDS({"ID", OX_WORD_ONE, "The campaign"}), OPTIONS(WAIT, WAIT_TIMEOUT),
     "oxide campaign show ID\noxide campaign show ID --wait --timeout 15m", REMOTE,
     OX_EXITS_OUTCOME, ox_run_campaign_show},
    {"campaign wait", "Stay until a campaign ends; the exit status tells how",
     "Status 0: it is complete and no device failed. 1: it is complete and devices failed, or "
     "none has the version. On a terminal a line shows how far it is. A server that is "
     "away for some minutes is asked again.",
     WORDS({"ID", OX_WORD_ONE, "The campaign"}), OPTIONS(WAIT_TIMEOUT),
     "oxide campaign wait ID --timeout 2h", REMOTE, OX_EXITS_OUTCOME, ox_run_campaign_wait},
    {"campaign pause", "Hold a campaign", "Devices that have begun finish; no other begins.",
     WORDS({"ID", OX_WORD_ONE, "The campaign"}), NULL, "oxide campaign pause ID", REMOTE,
     OX_EXITS_REMOTE, ox_run_campaign_pause},
    {"campaign resume", "Let a paused campaign go on",
     "Failures so far are accepted: gates and halt rules count them no more.",
     WORDS({"ID", OX_WORD_ONE, "The campaign"}), NULL, "oxide campaign resume ID", REMOTE,
     OX_EXITS_REMOTE, ox_run_campaign_resume},
    {"campaign approve", "Open the next stage of a campaign",
     "Of one with --approve-stages, once its stage has passed its gates.",
     WORDS({"ID", OX_WORD_ONE, "The campaign"}), NULL, "oxide campaign approve ID", REMOTE,
     OX_EXITS_REMOTE, ox_run_campaign_approve},
    {"campaign retry", "Have failed devices try again", NULL,
     WORDS({"ID", OX_WORD_ONE, "The campaign"},
           {"DEVICE", OX_WORD_OPTIONAL, "One device; all that failed if left out"}),
     NULL, "oxide campaign retry ID\noxide campaign retry ID cam-01", REMOTE, OX_EXITS_REMOTE,
     ox_run_campaign_retry},
    {"campaign abort", "End a campaign",
     "Devices that have begun finish, and those that have the version keep it; with --revert they "
     "go back, too.",
     WORDS({"ID", OX_WORD_ONE, "The campaign"}),
     OPTIONS({"revert", 0, NULL, NULL, "Send back the devices that were updated"}, WAIT, NO_WAIT,
             WAIT_TIMEOUT),
     "oxide campaign abort ID\noxide campaign abort ID --revert", REMOTE, OX_EXITS_OUTCOME,
     ox_run_campaign_abort},
    {"campaign revert", "Send back the devices that a campaign has updated",
     "Each to what it ran before; a campaign that is under way is aborted first. It stays as "
     "'oxide revert' does.",
     WORDS({"ID", OX_WORD_ONE, "The campaign"}), OPTIONS(WAIT, NO_WAIT, WAIT_TIMEOUT),
     "oxide campaign revert ID --wait", REMOTE, OX_EXITS_OUTCOME, ox_run_campaign_revert},
    {"job list", "List the deltas that are made, or are to be",
     "Those that most devices wait for are made first.", NULL,
     OPTIONS({"state", 0, "queued|running|ready|useless|failed|canceled|evicted", NULL,
              "Those in this state"},
             {"base", 0, "DIGEST", NULL, "Those from an artifact"},
             {"target", 0, "DIGEST", NULL, "Those to an artifact"}, LIMIT,
             SORT("id, waiting, queued or size")),
     "oxide job list --state queued --sort -waiting", REMOTE, OX_EXIT_BIT(OX_EXIT_UNREACHABLE),
     ox_run_job_list},
    {"job retry", "Make a delta again that failed, was useless, canceled or evicted", NULL,
     WORDS({"ID", OX_WORD_ONE, "The job"}), NULL, "oxide job retry 17", REMOTE, OX_EXITS_REMOTE,
     ox_run_job_retry},
    {"job cancel", "Stop making a delta",
     "Devices that wait for it get what there is without it, until somebody retries it.",
     WORDS({"ID", OX_WORD_ONE, "The job"}), NULL, "oxide job cancel 17", REMOTE, OX_EXITS_REMOTE,
     ox_run_job_cancel},
    {"backup", "Save the control plane's registry while it serves",
     "Devices, fleets, versions, campaigns and jobs as they are at one instant, and the list of "
     "the "
     "blobs that belong to them, in one tar archive (docs/backup.md). The server goes on "
     "meanwhile.",
     WORDS({"FILE", OX_WORD_ONE, "Where to write it; - is standard output"}),
     OPTIONS({"blobs", 0, NULL, NULL, "With the models and patches themselves"}, FORCE),
     "oxide backup oxide.tar\noxide backup all.tar --blobs", REMOTE,
     OX_EXITS_REMOTE | OX_EXIT_BIT(OX_EXIT_NO_SPACE) | OX_EXIT_BIT(OX_EXIT_DENIED), ox_run_backup},
    {"restore", "Put a backup into the folder of a control plane",
     "The control plane must not be running. When it serves the folder then, it takes what devices "
     "tell and assigns nothing, as they may have gone on since the backup: look at them, then let "
     "it "
     "go on with --confirm, which speaks to the running server. A registry that is in the folder "
     "is "
     "kept under another name with --force.",
     WORDS({"FILE", OX_WORD_OPTIONAL, "The backup"}),
     OPTIONS({"data", 0, "DIR", "oxide-data", "The folder, as of 'oxide serve'; made if absent"},
             {"confirm", 0, NULL, NULL, "Let the server that was restored assign again"}, FORCE),
     "oxide restore all.tar --data /var/lib/oxide\noxide restore --confirm", REMOTE,
     OX_EXITS_FILES | OX_EXIT_BIT(OX_EXIT_CONFLICT) | OX_EXIT_BIT(OX_EXIT_UNREACHABLE),
     ox_run_restore},
    {"doctor", "Examine the data of a control plane, or of an agent",
     "Looks for missing and damaged blobs, files that nothing needs, and states that cannot be, "
     "and "
     "says of each what to do. It may run beside the server or agent; --fix may not. Status 1: "
     "errors were found; warnings and notes alone end with 0.",
     WORDS({"WHAT", OX_WORD_OPTIONAL,
            "server, or agent; if left out, the one whose folder is named, else server"}),
     OPTIONS({"data", 0, "DIR", "oxide-data", "The folder of 'oxide serve --data DIR'"}, THE_AGENT,
             DOCTOR_HOW),
     "oxide doctor --data /var/lib/oxide\n"
     "oxide doctor --data /var/lib/oxide --quick --json\n"
     "oxide doctor agent --model-dir /var/lib/oxide-models --fix",
     OX_TAKES_JSON, OX_EXITS_DOCTOR, ox_run_doctor},
    {"events", "Show what happened, or follow it as it does",
     "A line per event of the control plane's log: who did what, and what came of it. With --json "
     "each line is a JSON object. --follow goes on, over restarts of the server too, until ctrl-c.",
     NULL,
     OPTIONS({"follow", 0, NULL, NULL, "Go on with what happens next"},
             {"last", 0, "N", "50", "Begin with the last N events that match, up to 1000"},
             {"since", 0, "TIME", NULL,
              "Begin at a time (2026-11-20T13:05:07Z, 2026-11-20), or so long ago (15m, 24h)"},
             {"after", 0, "ID", NULL, "Begin behind this event; 0 is the beginning of the log"},
             {"kind", 0, "KINDS", "all",
              "Kinds of events, or their first words, commas between: campaign,delta.failed"},
             {"device", 0, "ID", NULL, "Only what is about this device"},
             {"campaign", 0, "ID", NULL, "Only what is about this campaign"}),
     "oxide events --since 1h --kind campaign\noxide events --follow --device cam-01\n"
     "oxide events --after 0 --json > audit.jsonl",
     REMOTE | OX_RUNS_ON, OX_EXITS_REMOTE, ox_run_events},
    {"webhook add", "Have events sent to a receiver",
     "Each event is posted as JSON at least once, in order, and kept while the receiver is away. "
     "Deliveries are signed by the secret, which is shown this once.",
     WORDS({"URL", OX_WORD_ONE, "Where to send them: http:// or https://"}),
     OPTIONS({"kind", 0, "KINDS", "all",
              "Kinds of events, or their first words, commas between; may be repeated"},
             {"secret-file", 0, "FILE", "one is made", "A file that holds the secret"},
             {"id", 0, "ID", "one is made", "A name for the webhook"},
             {"after", 0, "ID", "from now on",
              "Begin behind this event; 0 is the beginning of the log"}),
     "oxide webhook add https://ops.example/hooks/oxide --kind campaign,delta.failed", REMOTE,
     OX_EXITS_REMOTE, ox_run_webhook_add},
    {"webhook list", "List the webhooks, and how each one does", NULL, NULL, NULL,
     "oxide webhook list", REMOTE, OX_EXIT_BIT(OX_EXIT_UNREACHABLE), ox_run_webhook_list},
    {"webhook remove", "Remove a webhook", "What is not delivered yet is not.",
     WORDS({"ID", OX_WORD_ONE, "The webhook"}), NULL, "oxide webhook remove ID", REMOTE,
     OX_EXITS_REMOTE, ox_run_webhook_remove},
    {"webhook resume", "Try a webhook again at once",
     "Also one that is stopped, since its receiver said that it is gone.",
     WORDS({"ID", OX_WORD_ONE, "The webhook"}), NULL, "oxide webhook resume ID", REMOTE,
     OX_EXITS_REMOTE, ox_run_webhook_resume},
    {"webhook test", "Send a webhook a delivery without events",
     "Says what the receiver answers; status 1 if it does not take it.",
     WORDS({"ID", OX_WORD_ONE, "The webhook"}), NULL, "oxide webhook test ID", REMOTE,
     OX_EXITS_REMOTE, ox_run_webhook_test},
    {"info", "Show what is in a model file or folder",
     "Format, tensors with dtype, shape, size and place, the bytes between them, and the digest. A "
     "file of no known format is simply bytes. Tensor data is read for the digest alone.",
     WORDS({"PATH", OX_WORD_ONE, "The file or folder"}), NULL,
     "oxide info model-v1.onnx\noxide info ./snapshot --json", OX_TAKES_JSON, OX_EXITS_FILES,
     ox_run_info},
    {"delta create", "Make the patch that turns one version into another",
     "BASE and TARGET are files or folders. The patch appears whole or not at all, and its bytes "
     "do not depend on the machine or on --threads: the same --effort and --memory give the same "
     "patch. 'oxide delta info' shows where its bytes go. --engine, --effort and --threads are for "
     "--format oxdl; --memory is for oxdl1, too, which is refused where it needs more.",
     WORDS({"BASE", OX_WORD_ONE, "What devices have"},
           {"TARGET", OX_WORD_ONE, "What they shall get"}),
     OPTIONS(
         {"output", 'o', "FILE", NULL, "Where to write the patch (required); - is standard output"},
         FORCE,
         {"engine", 0, "auto|tensor|binary", "auto",
          "How: by tensors, by bytes alone, or each stretch by what is smaller"},
         {"format", 0, "oxdl|oxdl1|pool", "oxdl",
          "Our own; what agents of the first generation read; POOL version 1 (single files)"},
         {"effort", 0, "1..9", "3", "How hard to try: 1 is fast, 9 makes the smallest patch"},
         {"memory", 0, "SIZE", "256M",
          "Memory to take at most, such as 64M or 1G; less means fewer threads, then larger "
          "patches"},
         {"threads", 0, "N", "processors, at most 4",
          "Threads to use, as many as --memory allows"}),
     "oxide delta create model-v1.onnx model-v2.onnx -o v1-v2.oxdl\n"
     "oxide delta create v1/ v2/ -o - | ssh device 'cat > v1-v2.oxdl'",
     OX_TAKES_JSON, OX_EXITS_FILES | OX_EXIT_BIT(OX_EXIT_CONFLICT), ox_run_delta_create},
    {"delta apply", "Rebuild a version from its base and a patch",
     "Every byte is verified before OUT appears, be it on standard output, whose file is rebuilt "
     "in TMPDIR first. Needs the very base that the patch was made for. Where the target is a "
     "folder, OUT is one. With --force the new version takes the place of what stands there in one "
     "step: OUT may be BASE. A folder with files that neither version has is not replaced. The "
     "patch tells its own format.",
     WORDS({"BASE", OX_WORD_ONE, "The file or folder that the patch was made for"},
           {"PATCH", OX_WORD_ONE, "The patch; - is standard input"}),
     OPTIONS(
         {"output", 'o', "PATH", NULL, "What to write (required); - is standard output (a file's)"},
         FORCE),
     "oxide delta apply model-v1.onnx v1-v2.oxdl -o model-v2.onnx\n"
     "oxide delta apply current/ v1-v2.oxdl -o current/ --force",
     OX_TAKES_JSON, OX_EXITS_FILES | OX_EXIT_BIT(OX_EXIT_CONFLICT), ox_run_delta_apply},
    {"delta info", "Show what is in a patch, and where its bytes go",
     "With TARGET a table tells, for each tensor, its size, its bytes of the patch and how they "
     "are "
     "predicted, the costliest first; without it, the same for each way of prediction. Where a "
     "frame of the patch rebuilds several tensors, its bytes are shared out: with BASE, too, by "
     "what changed in each, else by their sizes.",
     WORDS({"PATCH", OX_WORD_ONE, "The patch; - is standard input"}),
     OPTIONS({"base", 0, "PATH", NULL, "The file or folder that the patch was made for"},
             {"target", 0, "PATH", NULL, "The file or folder that it rebuilds"},
             {"all", 0, NULL, NULL, "All rows of the table, not only the costliest 20"}),
     "oxide delta info v1-v2.oxdl\n"
     "oxide delta info v1-v2.oxdl --base model-v1.onnx --target model-v2.onnx",
     OX_TAKES_JSON, OX_EXITS_FILES, ox_run_delta_info},
#else
    {"doctor", "Examine the data of the agent",
     "Looks for damaged files, files that nothing needs, and states that cannot be, and says of "
     "each what to do. It may run beside the agent; --fix may not. Status 1: errors were found; "
     "warnings and notes alone end with 0.",
     WORDS({"WHAT", OX_WORD_OPTIONAL, "agent, which may be left out"}),
     OPTIONS(THE_AGENT, DOCTOR_HOW),
     "oxide doctor\noxide doctor agent --model-dir /var/lib/oxide-models --fix", OX_TAKES_JSON,
     OX_EXITS_DOCTOR, ox_run_doctor},
#endif
    {"help", "Show help for a command", NULL,
     WORDS({"COMMAND", OX_WORD_OPTIONAL, "The command"},
           {"SUBCOMMAND", OX_WORD_OPTIONAL, "Its second word"}),
     NULL, "oxide help push\noxide help delta create", 0, 0, ox_run_help},
    {"completion", "Print the completion script of a shell", NULL,
     WORDS({"SHELL", OX_WORD_ONE, "bash"}), NULL, "source <(oxide completion bash)", 0, 0,
     ox_run_completion},
    {"man", "Print the manual page",
     "Of all commands, or of one, in the format that man reads (roff).",
     WORDS({"COMMAND", OX_WORD_OPTIONAL, "The command"},
           {"SUBCOMMAND", OX_WORD_OPTIONAL, "Its second word"}),
     NULL, "oxide man | man -l -", 0, 0, ox_run_man},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
