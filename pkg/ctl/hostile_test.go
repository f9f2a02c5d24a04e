package ctl

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
)

// poison attacks a terminal, a shell and a file system: it sets a title, clears the screen
// by a C1 sequence, changes the direction of writing, runs commands, and leads to another
// directory.
const poison = "\x1b]0;gone\a\u009b2J\u202e\x7f\r$(touch gone)`touch gone`;../../gone\t\U000e0041"

// impostor answers every call with messages in which every text is poison. A stream sends
// one message for each member of a oneof.
func impostor(t *testing.T) string {
	t.Helper()
	path := filepath.Join(ownDirectory(t), "nvad.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		name, _ := grpc.MethodFromServerStream(stream)
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(name, "/"), "/", ".")))
		if err != nil {
			return status.Error(codes.Unimplemented, poison)
		}
		method := d.(protoreflect.MethodDescriptor)
		out, err := protoregistry.GlobalTypes.FindMessageByName(method.Output().FullName())
		if err != nil {
			return err
		}
		kinds := 1
		if method.IsStreamingServer() {
			kinds = 6
		}
		for kind := range kinds {
			m := out.New()
			fill(m, kind, 0)
			if err := stream.SendMsg(m.Interface()); err != nil {
				return err
			}
		}
		return nil
	}))
	apitest.Run(t, l, s)
	return path
}

// fill sets every field of m, and the member number kind of every oneof.
func fill(m protoreflect.Message, kind, depth int) {
	if _, ok := m.Interface().(*timestamppb.Timestamp); ok {
		proto.Merge(m.Interface(), timestamppb.New(apitest.Now))
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if one := f.ContainingOneof(); one != nil && one.Fields().Get(kind%one.Fields().Len()) != f || depth > 6 {
			continue
		}
		switch {
		case f.IsMap():
			m.Mutable(f).Map().Set(protoreflect.ValueOfString(poison).MapKey(), filled(f.MapValue(), m.Mutable(f).Map().NewValue(), kind, depth))
		case f.IsList():
			list := m.Mutable(f).List()
			list.Append(filled(f, list.NewElement(), kind, depth))
		default:
			m.Set(f, filled(f, m.NewField(f), kind, depth))
		}
	}
}

func filled(f protoreflect.FieldDescriptor, fresh protoreflect.Value, kind, depth int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.MessageKind:
		fill(fresh.Message(), kind, depth+1)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(poison)
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(poison))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(1)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(1)
	}
	return fresh
}

// TestImpostor runs every command against an impostor: only printable characters reach the
// terminal, in any format, and no completion contains anything that a shell interprets.
func TestImpostor(t *testing.T) {
	t.Chdir(ownDirectory(t))
	socket := impostor(t)
	wanted := map[string][]string{ // arguments of commands that need some
		"nvactl explain": {"10.0.0.0/8"}, "nvactl reset": {"10.0.0.1"}, "nvactl shutdown": {"10.0.0.1"}, "nvactl enable": {"10.0.0.1"},
		"nvactl log-level": {"info"}, "nvactl profile": {"heap"}, "nvactl routes lookup": {"10.0.0.1"},
		"nvactl routes received": {"10.0.0.1"}, "nvactl routes accepted": {"10.0.0.1"}, "nvactl routes rejected": {"10.0.0.1"},
		"nvactl routes advertised": {"10.0.0.1"}, "nvactl rollback": {"3"}, "nvactl config diff": {"--from", "1", "--to", "2"},
		"nvactl policy test": {"10.0.0.1"},
	}
	ran := 0
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			visit(sub)
		}
		if c.HasSubCommands() && c.CommandPath() != "nvactl routes" && c.CommandPath() != "nvactl neighbors" || !c.Runnable() {
			return
		}
		if c.Name() == "web" {
			return // package web tests what it serves
		}
		args := append(strings.Fields(c.CommandPath())[1:], wanted[c.CommandPath()]...)
		for _, format := range []string{"table", "json"} {
			if c.Name() == "tech-support" || c.Name() == "profile" || c.Name() == "stop" {
				break // its --output is a file, or it waits for the end of a daemon
			}
			r := nvactl(t, socket, append(args, "-o", format)...)
			steers(t, strings.Join(args, " ")+" as "+format, r.out+r.err)
			if strings.Contains(r.out, "gone") {
				ran++
			}
		}
		r := nvactl(t, socket, append(append([]string{"__complete"}, strings.Fields(c.CommandPath())[1:]...), "")...)
		for l := range strings.Lines(r.out) {
			word, description, _ := strings.Cut(l, "\t")
			if strings.Contains(word, "gone") || strings.Contains(l, "gone") && strings.ContainsAny(description, "$`\x1b") {
				t.Errorf("completion of %s: %q", c.CommandPath(), l)
			}
		}
	}
	visit(NewCommand(SystemEnv()))
	if ran < 30 {
		t.Errorf("only %d commands showed what the impostor sent", ran)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 0 {
		t.Errorf("files: %v, %v", left, err)
	}
}

// steers fails the test for a character that steers a terminal.
func steers(t *testing.T, what, text string) {
	t.Helper()
	if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("%s: %q", what, text[max(0, i-20):min(len(text), i+20)])
	}
}

// TestImpostorArchive: the archive unpacks into its directory only, and is bounded.
func TestImpostorArchive(t *testing.T) {
	d := hub00()
	var zoned api.Neighbor
	zoned.Address = netip.MustParseAddr("fe80::1%../../../gone")
	d.Peers = append(d.Peers, zoned)
	for range 2 * mostNeighbors {
		d.Peers = append(d.Peers, zoned)
	}
	for _, socket := range []string{serve(t, d), impostor(t)} {
		file := filepath.Join(ownDirectory(t), "out.tar.gz")
		if r := nvactl(t, socket, "tech-support", "--output", file); r.code != 0 {
			t.Fatalf("%+v", r)
		}
		f, err := os.Open(file)
		must(t, err)
		defer f.Close()
		zip, err := gzip.NewReader(f)
		must(t, err)
		names := 0
		for in := tar.NewReader(zip); ; names++ {
			h, err := in.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			must(t, err)
			if !filepath.IsLocal(h.Name) || strings.Contains(h.Name, "..") || strings.Count(h.Name, "/") > 2 {
				t.Errorf("%q would be unpacked elsewhere", h.Name)
			}
		}
		if names > 60+3*mostNeighbors {
			t.Errorf("%d files", names)
		}
	}
}

// TestStrangersSocket: nvactl sends nothing to the daemon of another user.
func TestStrangersSocket(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can listen as somebody else")
	}
	d := hub00()
	path := filepath.Join(ownDirectory(t), "nvad.sock")
	l := listenAs(t, path, 65534)
	apitest.Run(t, l, api.NewServer(api.Params{Reader: d, Controller: d, AdminGroup: apitest.OwnGroup(t)}))
	for _, args := range [][]string{{"status"}, {"reload"}, {"rollback"}} {
		if r := nvactl(t, path, args...); r.code != 1 || !strings.Contains(r.err, path+" is not nvad's: user ") {
			t.Errorf("%v: %+v", args, r)
		}
	}
	if did := d.Commands(); len(did) != 0 {
		t.Errorf("the stranger was told %q", did)
	}
}

// listenAs creates a socket as another user, in a thread that ends afterwards.
func listenAs(t *testing.T, path string, uid int) net.Listener {
	t.Helper()
	must(t, os.Chmod(filepath.Dir(path), 0o777))
	type result struct {
		net.Listener
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
			done <- result{nil, errno}
			return
		}
		l, err := net.Listen("unix", path)
		done <- result{l, err}
	}()
	r := <-done
	must(t, r.err)
	return r.Listener
}
