# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of netpolctl in bash. The options are those that --help shows.

_netpolctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}

	# bash splits --option=value at the "=".
	if [[ $cur == = ]]; then
		cur=
	elif [[ $option == = ]]; then
		option=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $option in
	--local-node-egress) mapfile -t COMPREPLY < <(compgen -W 'policy allow' -- "$cur") ;;
	-o | --output) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur") ;;
	-f | --manifests | --control)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	*)
		if [[ $cur == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--local-node-egress --strict $("$1" --help 2> /dev/null |
				sed -n 's/^  \(    \|-., \)\(--[a-z-]*\).*/\2/p')" -- "$cur")
		elif ((COMP_CWORD == 1)); then
			mapfile -t COMPREPLY < <(compgen -W 'explain test graph status' -- "$cur")
		elif [[ ${COMP_WORDS[1]} == test ]]; then
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		;;
	esac
}

complete -F _netpolctl netpolctl
