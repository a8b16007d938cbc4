#include "oxide/cli/cli.h"

int main(int argc, char **argv)
{
    return ox_cli_main(argc, (const char *const *)argv, stdout, stderr);
}
