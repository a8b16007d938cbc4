# The libraries that are linked, found by pkg-config.
find_package(PkgConfig REQUIRED)
include(CheckCSourceCompiles)
if(OXIDE_STATIC)
    # position-independent where the C library can, so that addresses are random
    set(CMAKE_REQUIRED_FLAGS -fPIE)
    set(CMAKE_REQUIRED_LINK_OPTIONS -static-pie)
    check_c_source_compiles("int main(void) { return 0; }" OXIDE_HAS_STATIC_PIE)
    unset(CMAKE_REQUIRED_FLAGS)
    if(OXIDE_HAS_STATIC_PIE)
        set(ox_static -static-pie)
        target_compile_options(ox_flags INTERFACE -fPIE)
    else()
        set(ox_static -static)
    endif()
    unset(CMAKE_REQUIRED_LINK_OPTIONS)
    target_link_options(ox_flags INTERFACE ${ox_static})
endif()
find_package(Threads REQUIRED)

# ox_library(NAME PACKAGE): PkgConfig::NAME; with OXIDE_STATIC together with all that it wants itself.
macro(ox_library name package)
    pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${package})
    if(OXIDE_STATIC)
        set_target_properties(PkgConfig::${name} PROPERTIES
            INTERFACE_LINK_LIBRARIES "${${name}_STATIC_LDFLAGS}" INTERFACE_LINK_OPTIONS "")
    endif()
endmacro()

# ox_check_static(): say so now if what pkg-config found cannot be linked statically.
function(ox_check_static)
    if(NOT OXIDE_STATIC)
        return()
    endif()
    set(CMAKE_REQUIRED_LINK_OPTIONS ${ox_static})
    set(CMAKE_REQUIRED_LIBRARIES PkgConfig::curl)
    unset(OXIDE_LIBCURL_IS_PLAIN CACHE) # another may be there by now
    check_c_source_compiles("#include <curl/curl.h>
int main(void) { return curl_easy_init() == 0; }" OXIDE_LIBCURL_IS_PLAIN)
    if(NOT OXIDE_LIBCURL_IS_PLAIN)
        message(FATAL_ERROR
            "OXIDE_STATIC: libcurl ${curl_VERSION} in ${curl_LIBDIR} cannot be linked statically: "
            "it, or a library that it wants (${curl_STATIC_LIBRARIES}), is there as a shared one alone. "
            "Debian's and Ubuntu's want GSSAPI, which has none. Name the folder of a plain libcurl's "
            "libcurl.pc in PKG_CONFIG_PATH, or leave out -DOXIDE_STATIC=ON. "
            "What the linker said is in ${CMAKE_BINARY_DIR}/CMakeFiles/CMakeError.log.")
    endif()
endfunction()
