package listen

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

// Holder says for people who has a TCP port on which nvad could not listen: the program with its pid
// and user; only the user if this process may not look into other users' processes; or how
// to find out.
func Holder(at netip.AddrPort) string { return holderIn("/proc", "tcp", at) }

// HolderUDP is [Holder] for a UDP port. It names only the user: BFD calls it again and again, and has
// no time to search the files of every process.
func HolderUDP(at netip.AddrPort) string { return holderIn("/proc", "udp", at) }

// owner identifies a socket in the kernel's list, and its user.
type owner struct{ inode, uid string }

func holderIn(proc, protocol string, at netip.AddrPort) string {
	o, ok := holding(proc, protocol, at)
	if !ok {
		return fmt.Sprintf("another program has it (ss -ln%sp shows which)", protocol[:1])
	}
	who := "user " + o.uid
	if u, err := user.LookupId(o.uid); err == nil {
		who = "user " + u.Username
	}
	if protocol == "tcp" {
		if name, pid := opened(proc, o.inode); pid != 0 {
			return fmt.Sprintf("%s (pid %d) of %s has it", name, pid, who)
		}
	}
	return fmt.Sprintf("a program of %s has it (ss -ln%sp, as root, shows which)", who, protocol[:1])
}

// holding finds the socket that blocks at: one with the same port, and with the same address or
// the unspecified one.
func holding(proc, protocol string, at netip.AddrPort) (owner, bool) {
	for _, file := range []string{protocol, protocol + "6"} {
		text, err := os.ReadFile(filepath.Join(proc, "self/net", file))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 10 || protocol == "tcp" && f[3] != listening {
				continue
			}
			local, ok := parseLocal(f[1])
			if ok && local.Port() == at.Port() &&
				(local.Addr().IsUnspecified() || at.Addr().IsUnspecified() || local.Addr().Unmap() == at.Addr().Unmap()) {
				return owner{inode: f[9], uid: f[7]}, true
			}
		}
	}
	return owner{}, false
}

// listening is the state TCP_LISTEN in /proc/net/tcp.
const listening = "0A"

// parseLocal reads an address and a port in the kernel's form: each word of the address is in the
// byte order of the machine.
func parseLocal(s string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	words, hexErr := hex.DecodeString(host)
	if err != nil || hexErr != nil || len(words)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(words); i += 4 {
		binary.NativeEndian.PutUint32(words[i:], binary.BigEndian.Uint32(words[i:]))
	}
	addr, ok := netip.AddrFromSlice(words)
	return netip.AddrPortFrom(addr, uint16(n)), ok
}

// opened finds a process that has the socket open. pid is 0 if it can see none.
func opened(proc, inode string) (name string, pid int) {
	fds, _ := filepath.Glob(filepath.Join(proc, "[0-9]*/fd/*"))
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err != nil || to != "socket:["+inode+"]" {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
		pid, _ := strconv.Atoi(filepath.Base(dir))
		return plain(string(comm)), pid
	}
	return "", 0
}

// plain removes control characters from the name of a process: a process chooses its name, and
// the name is printed on terminals.
func plain(comm string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, comm)
}
