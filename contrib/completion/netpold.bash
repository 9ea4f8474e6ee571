# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of netpold in bash. The options are those that --help shows.

_netpold()
{
	local cur=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}

	# bash splits --option=value at the "=".
	if [[ $cur == = ]]; then
		cur=
	elif [[ $option == = ]]; then
		option=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $option in
	--established) mapfile -t COMPREPLY < <(compgen -W 'cut keep' -- "$cur") ;;
	--table-owner) mapfile -t COMPREPLY < <(compgen -W 'self none' -- "$cur") ;;
	--log-level) mapfile -t COMPREPLY < <(compgen -W 'err warning notice debug' -- "$cur") ;;
	--local-node-egress) mapfile -t COMPREPLY < <(compgen -W 'policy allow' -- "$cur") ;;
	--unknown-pods | --pod-tunnels) mapfile -t COMPREPLY < <(compgen -W 'allow drop' -- "$cur") ;;
	-f | --manifests | --kubeconfig | --config | --control)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	--cni-results | --cni-plugin-results | --state-directory)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	--user)
		mapfile -t COMPREPLY < <(compgen -u -- "$cur")
		;;
	--control-group) mapfile -t COMPREPLY < <(compgen -g -- "$cur") ;;
	--context | --node | --commit-interval | --api-progress-deadline | --metrics | --pod-networks | --allowed-sources) COMPREPLY=() ;;
	*)
		# --help has no room for these.
		mapfile -t COMPREPLY < <(compgen -W "--lockdown --cni-plugin-results --control-group --established --table-owner --pod-networks --state-directory
			--local-node-egress --strict --pod-tunnels --allowed-sources --api-progress-deadline
			$("$1" --help 2> /dev/null | sed -n 's/^  \(    \|-., \)\(--[a-z-]*\).*/\2/p')" -- "$cur")
		;;
	esac
}

complete -F _netpold netpold
