// Nvad is the routing daemon: BGP, VXLAN tunnels and the kernel's routes from
// one file. See "nvad --help".
package main

import (
	"os"

	"github.com/nvad/nvad/cmd/nvad/command"
)

func main() { os.Exit(command.Execute()) }
