# Debian's cross compiler for ${ox_triplet} and the multi-arch libraries beside this machine's own.
set(CMAKE_C_COMPILER ${ox_triplet}-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE ${ox_triplet})
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/${ox_triplet}/pkgconfig:/usr/share/pkgconfig)
find_program(CMAKE_CROSSCOMPILING_EMULATOR NAMES ${ox_emulator} ${ox_emulator}-static)
