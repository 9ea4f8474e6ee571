# SPDX-License-Identifier: GPL-2.0-or-later
# NETPOLD_FLAGS(VARIABLE, FLAGS): appends to VARIABLE each flag that the compiler takes.
AC_DEFUN([NETPOLD_FLAGS], [
	AC_LANG_PUSH([C])
	for netpold_flag in $2; do
		netpold_saved="$CFLAGS"
		CFLAGS="$CFLAGS -Werror $netpold_flag"
		AC_MSG_CHECKING([whether $CC takes $netpold_flag])
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
			[AC_MSG_RESULT([yes]); $1="[$]$1 $netpold_flag"],
			[AC_MSG_RESULT([no])])
		CFLAGS="$netpold_saved"
	done
	AC_LANG_POP([C])
])
