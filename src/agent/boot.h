/** Which run of the machine this is. */
#ifndef OX_AGENT_BOOT_H
#define OX_AGENT_BOOT_H

#define OX_BOOT_ID_MAX 64

/** A text that is another one after each restart of the machine; "" where the system does not tell.
 */
void ox_boot_id(char out[OX_BOOT_ID_MAX]);

#endif
