/** The version of this build, from CMake's project(). */
#ifndef OXIDE_CLI_VERSION_H
#define OXIDE_CLI_VERSION_H

#ifndef OXIDE_VERSION
#define OXIDE_VERSION "0.0.0"
#endif
#define OX_VERSION OXIDE_VERSION
#define OX_USER_AGENT "oxide/" OXIDE_VERSION

#endif
