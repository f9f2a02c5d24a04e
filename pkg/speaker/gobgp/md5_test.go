package gobgp

import "testing"

func TestParseMD5Failures(t *testing.T) {
	const text = "TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure\nTcpExt: 9 2 3 5\nIpExt: InNoRoutes\nIpExt: 1\n"
	if got, want := parseMD5Failures(text), (md5Failures{keyed: 7, keyless: 3}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, odd := range []string{"", "TcpExt: TCPMD5Failure", "TcpExt: TCPMD5Failure\nTcpExt:\n"} {
		if got := parseMD5Failures(odd); got != (md5Failures{}) {
			t.Errorf("%q: %+v", odd, got)
		}
	}
}
