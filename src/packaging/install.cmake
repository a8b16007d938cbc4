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

# Units of systemd, the sandbox that they share, their users, and the sample of the agent's settings.
file(READ ${CMAKE_CURRENT_LIST_DIR}/sandbox.conf OXIDE_SANDBOX)
set(OXIDE_BINDIR ${CMAKE_INSTALL_FULL_BINDIR})
set(units oxide-agent)
if(NOT OXIDE_AGENT_ONLY)
    list(APPEND units oxide-serve)
endif()
foreach(unit ${units})
    configure_file(${CMAKE_CURRENT_LIST_DIR}/${unit}.service.in
        ${CMAKE_BINARY_DIR}/share/${unit}.service @ONLY)
    install(FILES ${CMAKE_BINARY_DIR}/share/${unit}.service DESTINATION lib/systemd/system)
endforeach()
install(FILES ${CMAKE_CURRENT_LIST_DIR}/oxide-model@.path
    ${CMAKE_CURRENT_LIST_DIR}/oxide-model@.service DESTINATION lib/systemd/system)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/sysusers.conf RENAME oxide.conf DESTINATION lib/sysusers.d)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/agent.conf
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/oxide/examples)
