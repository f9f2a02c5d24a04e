package hostile

import (
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/nvad/nvad/integration/lab"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// TestReadersThatDoNotRead: a client with read access requests the FIB and the Loc-RIB over
// and over, on many connections, and reads almost nothing of the answers. Memory does not
// grow, and other clients still get answers.
func TestReadersThatDoNotRead(t *testing.T) {
	b := newBed(t, feederAddress, listenerAddress, birdAddress)
	b.start(goodNeighbors())
	b.welcome()
	before := b.resident()
	refused, begun := 0, 0
	for i := range 200 {
		conn, err := grpc.NewClient("unix:"+b.Path("nvad.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		switch err := begin(t, nvadv1.NewNvadClient(conn), i%2 == 0); status.Code(err) {
		case codes.OK:
			begun++
		case codes.ResourceExhausted:
			refused++
		default:
			t.Fatal(err)
		}
	}
	if refused == 0 {
		t.Error("no call was refused")
	}
	lab.Eventually(t, 10*time.Second, func() error { _, err := b.nvactl("status"); return err })
	grown := b.resident() - before
	t.Logf("%d begun, %d refused; memory %d MB, %d MB more", begun, refused, before>>10, grown>>10)
	if grown > mostGrowth*allowance {
		t.Errorf("memory grew by %d KiB", grown)
	}
}

// begin reads one message of a table, and no more.
func begin(t *testing.T, client nvadv1.NvadClient, fib bool) error {
	if fib {
		s, err := client.ListFIB(t.Context(), &nvadv1.ListFIBRequest{})
		if err == nil {
			_, err = s.Recv()
		}
		return err
	}
	s, err := client.ListRoutes(t.Context(), &nvadv1.ListRoutesRequest{})
	if err == nil {
		_, err = s.Recv()
	}
	return err
}
