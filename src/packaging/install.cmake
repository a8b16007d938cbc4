# The manual page and the bash completion: printed by the executable itself, from its table of
# commands. (Not when cross-compiling: it cannot run here.)
if(NOT CMAKE_CROSSCOMPILING)
    set(man ${CMAKE_BINARY_DIR}/share/oxide.1)
    set(completion ${CMAKE_BINARY_DIR}/share/oxide.bash)
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/share)
    add_custom_command(OUTPUT ${man} ${completion}
        COMMAND oxide man > ${man}
        COMMAND oxide completion bash > ${completion}
        DEPENDS oxide VERBATIM)
    add_custom_target(oxide_share ALL DEPENDS ${man} ${completion})
    install(FILES ${man} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    install(FILES ${completion} RENAME oxide
            DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
endif()
