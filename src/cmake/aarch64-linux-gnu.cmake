# For a 64-bit Arm, by Debian's gcc-aarch64-linux-gnu and the libraries of its arm64:
#   cmake -B build-arm64 -DCMAKE_TOOLCHAIN_FILE=src/cmake/aarch64-linux-gnu.cmake -DOXIDE_AGENT_ONLY=ON
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(ox_triplet aarch64-linux-gnu)
set(ox_emulator qemu-aarch64)
include(${CMAKE_CURRENT_LIST_DIR}/debian_cross.cmake)
