package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// patience is how long the daemon may take for an answer that is not a stream.
const patience = 30 * time.Second

// client is a connection to the daemon.
type client struct {
	*grpc.ClientConn
	read    nvadv1.NvadClient
	control nvadv1.NvadControlClient
}

// connect opens the daemon's socket, or its TCP port if there is an address. The
// first connection is made here and not by gRPC, whose errors do not tell a
// missing socket from a forbidden one.
func (a *app) connect(ctx context.Context) (*client, error) {
	if a.remote.address != "" {
		return a.remote.connect(ctx)
	}
	path := a.path()
	first, err := dialSocket(ctx, path)
	if err != nil {
		return nil, err
	}
	_ = first.Close()
	return newClient(insecure.NewCredentials(), func(ctx context.Context, _ string) (net.Conn, error) {
		return dialSocket(ctx, path)
	})
}

func newClient(creds credentials.TransportCredentials, dial func(context.Context, string) (net.Conn, error)) (*client, error) {
	conn, err := grpc.NewClient("passthrough:nvad", grpc.WithTransportCredentials(creds),
		grpc.WithContextDialer(dial), grpc.WithUnaryInterceptor(impatient))
	if err != nil {
		return nil, err
	}
	return &client{ClientConn: conn, read: nvadv1.NewNvadClient(conn), control: nvadv1.NewNvadControlClient(conn)}, nil
}

func impatient(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return call(ctx, method, req, reply, cc, opts...)
}

// errNotRunning is in the error of a command that found no daemon.
var errNotRunning = errors.New("nvad is not running")

// dialError says in one line why the socket cannot be opened.
func dialError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w (no socket at %s)%s", errNotRunning, path, firstStep(path, defaultConfig))
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w (nobody answers on %s)", errNotRunning, path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission to open %s%s", path, whoMay(path))
	}
	return fmt.Errorf("cannot open %s: %w", path, err)
}

// firstStep says how to begin on a machine that has no configuration. Not everybody
// may look whether there is one; who asked for another socket knows where it is.
func firstStep(socket, config string) string {
	if socket != DefaultSocket {
		return ""
	}
	switch _, err := os.Stat(config); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf(": there is no %s yet, in Azure \"sudo nvad bootstrap\" writes it (see nvad bootstrap --help)", config)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf(": if there is no %s yet, in Azure \"sudo nvad bootstrap\" writes it (see nvad bootstrap --help)", config)
	}
	return ": sudo systemctl start nvad"
}

// whoMay names the group that may open the socket, if that can be seen.
func whoMay(path string) string {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o060 != 0o060 {
		return " (try as root)"
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Gid == 0 {
		return " (try as root)"
	}
	g, err := user.LookupGroupId(strconv.FormatUint(uint64(st.Gid), 10))
	if err != nil {
		return " (try as root)"
	}
	return fmt.Sprintf(" (it is for root and members of group %s)", g.Name)
}

// explain turns an error of a call into a text for a person.
func explain(err error) error {
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	switch s.Code() {
	case codes.Unavailable:
		return errors.New("the connection to nvad was lost before it had answered")
	case codes.Unimplemented:
		return errors.New("this nvad is of another version and does not know the request (see nvactl version)")
	case codes.DeadlineExceeded:
		return errors.New("nvad did not answer in time")
	case codes.Canceled:
		return errors.New("canceled")
	}
	return errors.New(s.Message())
}

// receive calls yield with every message of a stream.
func receive[T any](stream grpc.ServerStreamingClient[T], err error, yield func(*T) error) error {
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := yield(m); err != nil {
			return err
		}
	}
}
