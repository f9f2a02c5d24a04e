# shellcheck shell=sh
# For scripts that build a directory anew beside the old one: . packaging/replace.sh

# foreign says whether DIR has something else than what replace has put there before: all
# that these scripts make has the public key in it.
foreign() { # foreign DIR
	[ -e "$1" ] && [ ! -e "$1/nvad.gpg" ] && { [ ! -d "$1" ] || [ -n "$(ls -A "$1")" ]; }
}

# replace puts NEW in the place of DIR. WORK is a directory of the same file system, into
# which the old DIR goes; if NEW can't be put there, DIR comes back.
replace() { # replace NEW DIR WORK
	! [ -e "$2" ] || mv "$2" "$3/old"
	mv "$1" "$2" || {
		! [ -e "$3/old" ] || mv "$3/old" "$2"
		return 1
	}
}
