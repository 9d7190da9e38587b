/* The programs of dari-native, each in a file of its name. Like main functions, except that argv[0] is that name. */
int confine_main(int argc, char **argv);
int container_main(int argc, char **argv);
int enter_main(int argc, char **argv);
int group_main(int argc, char **argv);
int mount_main(int argc, char **argv);
int namespace_main(int argc, char **argv);
int own_main(int argc, char **argv);
int relay_main(int argc, char **argv);
int share_main(int argc, char **argv);
int start_main(int argc, char **argv);
int template_main(int argc, char **argv);
