package rawbgp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Conn is an established session, message by message. One goroutine may read while others
// send.
type Conn struct {
	net.Conn
	r       *bufio.Reader
	buf     []byte
	writing sync.Mutex
	err     error         // why Serve ended
	done    chan struct{} // closed by Serve, after err was set
}

// Next returns the type and the body of the next message. The next call overwrites the body.
func (c *Conn) Next() (typ byte, body []byte, err error) {
	if _, err := io.ReadFull(c.r, c.buf[:HeaderLen]); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint16(c.buf[16:]))
	if n < HeaderLen || n > len(c.buf) {
		return 0, nil, fmt.Errorf("message of %d octets", n)
	}
	_, err = io.ReadFull(c.r, c.buf[HeaderLen:n])
	return c.buf[18], c.buf[HeaderLen:n], err
}

func (c *Conn) expect(typ byte) error {
	got, body, err := c.Next()
	if err == nil && got != typ {
		err = fmt.Errorf("message of type %d in place of %d: % x", got, typ, body)
	}
	return err
}

// Serve sends KEEPALIVEs and passes every message except NOTIFICATION to take, until the
// connection ends or take fails. Then it closes the connection and calls ended.
func (c *Conn) Serve(take func(typ byte, body []byte) error, ended func()) {
	defer close(c.done)
	defer ended()
	go c.keepAlive()
	for {
		typ, body, err := c.Next()
		switch {
		case err != nil:
		case typ == TypeNotification:
			err = fmt.Errorf("NOTIFICATION % x", body)
		default:
			err = take(typ, body)
		}
		if err != nil {
			c.Conn.Close()
			c.err = err
			return
		}
	}
}

// Err returns why the session ended. It returns nil while the session lasts, and if this end
// has closed it.
func (c *Conn) Err() error {
	if c.Up() || errors.Is(c.err, net.ErrClosed) {
		return nil
	}
	return c.err
}

func (c *Conn) keepAlive() {
	tick := time.NewTicker(keepaliveTime)
	defer tick.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
			_ = c.Send(keepalive)
		}
	}
}

// Send writes whole messages.
func (c *Conn) Send(chunks ...[]byte) error {
	for _, b := range chunks {
		c.writing.Lock()
		_, err := c.Write(b)
		c.writing.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// Up reports whether Serve has not ended.
func (c *Conn) Up() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// Close ends the session without a NOTIFICATION, and waits for Serve.
func (c *Conn) Close() {
	c.Conn.Close()
	<-c.done
}

// Reset ends the connection with a TCP reset, as the kernel does for a process that was
// killed, and waits for Serve.
func (c *Conn) Reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}

// Cease sends Administrative Shutdown (RFC 4486), ends the session and waits for Serve.
func (c *Conn) Cease() error {
	err := c.Send(Message(TypeNotification, []byte{6, 2}))
	c.Close()
	return err
}
