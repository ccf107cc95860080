#include "role/role.h" /* moved: see role/ */
