# For a 32-bit Arm (ARMv7 with VFP), by Debian's gcc-arm-linux-gnueabihf and the libraries of its armhf:
#   cmake -B build-armhf -DCMAKE_TOOLCHAIN_FILE=src/cmake/arm-linux-gnueabihf.cmake -DOXIDE_AGENT_ONLY=ON
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(ox_triplet arm-linux-gnueabihf)
set(ox_emulator qemu-arm)
include(${CMAKE_CURRENT_LIST_DIR}/debian_cross.cmake)
