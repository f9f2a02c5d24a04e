package api

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// sendTime is how long a client may take to read one message of a stream. Somebody
// who looks at a table page by page reads that fast; what has hung does not.
const sendTime = time.Minute

// paced is a stream whose client must keep reading.
type paced struct {
	grpc.ServerStream
	meter   *meter
	timeout time.Duration
	stuck   bool
}

// SendMsg implements grpc.ServerStream. A client that has not read for the timeout
// gets no more: the handler ends, and with it gRPC ends the message under way.
func (p *paced) SendMsg(m any) error {
	if p.stuck {
		return errNotRead(p.timeout)
	}
	if err := p.meter.send(messageSize(m)); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- p.ServerStream.SendMsg(m) }()
	timer := time.NewTimer(p.timeout)
	defer timer.Stop()
	select {
	case err := <-sent:
		return err
	case <-timer.C:
		p.stuck = true
		return errNotRead(p.timeout)
	}
}

func errNotRead(d time.Duration) error {
	return status.Errorf(codes.ResourceExhausted, "nvad ended its answer: nobody has read it for %v", d)
}
