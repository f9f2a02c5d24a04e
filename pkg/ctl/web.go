package ctl

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/nvad/nvad/pkg/listen"
	"github.com/nvad/nvad/pkg/site"
	"github.com/nvad/nvad/pkg/survey"
	"github.com/nvad/nvad/pkg/telemetry"
	"github.com/nvad/nvad/pkg/web"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

const defaultWeb = "127.0.0.1:8179"

func (a *app) webCommand() *cobra.Command {
	var address string
	var beyond bool
	cmd := &cobra.Command{
		Use:   "web",
		Short: "Serve a page that shows everything in a browser",
		Long: `Serve a page for a browser until Ctrl-C: a picture of the NVA, or of all NVAs of
a site, with Route Servers and tunnels, the routes and the story of each, what
happened, and what is wrong. The page follows changes as they happen. It changes
nothing.

nvactl itself serves the page, and asks the daemon like every other command. It
listens on this machine only, and prints an address with a token, without which
it answers nothing. To open the page from another machine, forward the port:
ssh -L 8179:127.0.0.1:8179 NVA.`,
		Example: `  nvactl web
  nvactl --site site.toml web
  nvactl web --listen 127.0.0.1:9000`,
		Annotations: forSites,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := webAddress(address, beyond)
			if err != nil {
				return err
			}
			return failed(a.web(cmd.Context(), at))
		},
	}
	cmd.Flags().StringVar(&address, "listen", defaultWeb, "serve at `ADDRESS:PORT`")
	cmd.Flags().BoolVar(&beyond, "allow-remote", false, "allow an address that other machines reach")
	return cmd
}

// webAddress checks the address of the page.
func webAddress(text string, beyond bool) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		return at, fmt.Errorf("--listen: want ADDRESS:PORT, got %q", text)
	}
	if !at.Addr().IsLoopback() && !beyond {
		return at, fmt.Errorf("--listen %s: other machines may reach this address, and HTTP is not encrypted: forward a port with ssh -L, or add --allow-remote", text)
	}
	return at, nil
}

// mostConnections bounds the connections of browsers.
const mostConnections = 128

func (a *app) web(ctx context.Context, at netip.AddrPort) error {
	l, err := listen.TCP(at)
	if err != nil {
		return err
	}
	defer l.Close()
	members, err := a.members()
	if err != nil {
		return err
	}
	nvas, closing, err := webNVAs(members)
	if err != nil {
		return err
	}
	defer closing()
	server := web.New(web.Params{Version: telemetry.Build().Version, NVAs: nvas, Story: a.storyText, Compare: a.comparisonOf(members),
		Line: func(e *nvadv1.WatchEvent) string { _, text := eventText(e); return text }})
	if !at.Addr().IsLoopback() {
		a.warn(fmt.Sprintf("whoever can read the traffic to %s can read the token and the page", at))
	}
	line(a.Out, "Open http://"+l.Addr().String()+server.Path())
	line(a.Out, "Ctrl-C ends it.")
	if err := a.flush(); err != nil {
		return err
	}
	pool := listen.NewPool(listen.Limits{Total: mostConnections, Each: mostConnections}, nil)
	return server.Run(ctx, pool.Listener(l))
}

// comparisonOf compares the NVAs of a site as nvactl diff does.
func (a *app) comparisonOf(members []member) func(context.Context) ([]web.Finding, error) {
	return func(ctx context.Context) (list []web.Finding, err error) {
		for _, f := range site.Diff(answersOf(gather(ctx, siteDeadline, members, a.answerOf))).Findings {
			if len(f.NVAs) == 0 || f.Severity != site.Error && f.Severity != site.Warning {
				continue
			}
			p := survey.Problem{Severity: "warning", Kind: "site", Name: string(f.Code), Text: joined(" ", append([]string{f.Reason}, f.Mend...)...),
				Mend: "nvactl --site " + a.site + " diff"}
			if f.Severity == site.Error {
				p.Severity = "problem"
			}
			list = append(list, web.Finding{NVAs: f.NVAs, Problem: p})
		}
		return list, nil
	}
}

// webNVAs returns the NVAs of the page, and a function that closes the connections to them.
func webNVAs(members []member) (nvas []web.NVA, closing func(), err error) {
	var open []*steady
	closing = func() {
		for _, s := range open {
			_ = s.Close()
		}
	}
	for _, m := range members {
		s, err := m.door.steady()
		if err != nil {
			closing()
			return nil, nil, fmt.Errorf("%s: %w", cmp.Or(m.name, "nvad"), err)
		}
		open = append(open, s)
		nvas = append(nvas, web.NVA{Name: cmp.Or(m.name, m.door.remote.address, "nvad"), Client: s.read, Sentence: s.sentence})
	}
	return nvas, closing, nil
}

// steady is a connection that is opened again when it is lost, and that remembers why it could
// not be.
type steady struct {
	*client
	mu     sync.Mutex // guards failed
	failed error
}

// steady returns a connection through d to a daemon, which need not run yet.
func (d door) steady() (*steady, error) {
	s := &steady{}
	dial := func(ctx context.Context) (net.Conn, error) { return dialSocket(ctx, d.socket) }
	creds := insecure.NewCredentials()
	if d.remote.address != "" {
		config, err := d.remote.config()
		if err != nil {
			return nil, err
		}
		creds = credentials.NewTLS(config)
		var tcp net.Dialer
		dial = func(ctx context.Context) (net.Conn, error) { return tcp.DialContext(ctx, "tcp", d.remote.address) }
	}
	var err error
	s.client, err = newClient(creds, d.most, func(ctx context.Context, _ string) (net.Conn, error) {
		conn, err := dial(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failed = err
		return conn, err
	})
	return s, err
}

// sentence returns the error of a call for people.
func (s *steady) sentence(err error) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status.Code(err) == codes.Unavailable && s.failed != nil {
		err = s.failed
	}
	return plainError(err).Error()
}

// storyText returns an explanation as nvactl explain prints it.
func (a *app) storyText(x *nvadv1.Explanation) string {
	var out strings.Builder
	page := *a
	page.Out, page.Width = &out, storyWidth
	page.printExplanation(x, &nvadv1.ExplainRequest{})
	return out.String()
}

// storyWidth is the width of the text of an explanation on the page.
const storyWidth = 100
