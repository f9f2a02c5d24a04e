package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/imds"
)

// Options say what to do with the configuration.
type Options struct {
	// Output is the path of the file.
	Output string
	// Secret is a file with the TCP-MD5 key of the sessions with the other NVAs; ""
	// for none. Its content goes to [KeyFile] beside Output, and nowhere else.
	Secret string
	// DryRun prints the configuration and writes nothing.
	DryRun bool
	// Wait bounds the wait for the metadata service.
	Wait time.Duration
}

// Run asks the metadata service and writes the configuration. To out goes what
// was done, or the configuration itself; to progress what is waited for. On an
// error, nothing was written.
func Run(ctx context.Context, r Request, o Options, out, progress io.Writer) error {
	if err := r.Check(); err != nil {
		return err
	}
	key, err := readSecret(o.Secret)
	if err != nil {
		return err
	}
	p, err := ask(ctx, r, o.Wait, progress)
	if err != nil {
		return err
	}
	if p.Key, err = keyPath(key, o.Output); err != nil {
		return err
	}
	content, err := render(p, o.Output)
	if err != nil {
		return err
	}
	if len(r.VNets) == 0 && len(p.Remotes) > 0 {
		fmt.Fprintln(progress, "note: without --vnet, the own VNet's prefix is told to the other NVAs too")
	}
	if o.DryRun {
		_, err := out.Write(marked(content))
		return err
	}
	if err := mayWrite(o.Output); err != nil {
		return err
	}
	if err := writeKey(p.Key, key); err != nil {
		return err
	}
	return put(o.Output, content, out)
}

// ask completes the request by what this machine is.
func ask(ctx context.Context, r Request, wait time.Duration, progress io.Writer) (plan, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	client := imds.New()
	client.OnRetry = func(err error, pause time.Duration) {
		fmt.Fprintf(progress, "metadata service: %v; asking again in %v\n", err, pause)
	}
	in, err := client.Instance(ctx)
	if err != nil {
		return plan{}, err
	}
	nic, err := in.Primary()
	if err != nil {
		return plan{}, err
	}
	device, err := deviceOf(nic)
	if err != nil {
		return plan{}, err
	}
	p, err := derive(r, in.Name, nic, device)
	p.NICs = devices(in.NICs, progress)
	return p, err
}

// devices are those of all NICs. A NIC that the kernel has not, or has without its
// address, is told of and left out.
func devices(nics []imds.NIC, progress io.Writer) (list []string) {
	for _, n := range nics {
		device, err := deviceOf(n)
		if err != nil {
			fmt.Fprintf(progress, "note: a NIC is left out: %v\n", err)
			continue
		}
		list = append(list, device)
	}
	slices.Sort(list)
	return list
}

// mayWrite is an error if there is a file that is not bootstrap's: then the key must
// not be changed either.
func mayWrite(path string) error {
	_, err := replaceable(path)
	if errors.Is(err, ErrChanged) {
		return fmt.Errorf("%s %w, and is left as it is: compare it with \"nvad bootstrap --dry-run\", or move it away and run bootstrap again", path, err)
	}
	return err
}

// put writes the file and says how it now stands.
func put(path string, content []byte, out io.Writer) error {
	changed, err := write(path, content)
	switch {
	case err != nil:
		return err
	case !changed:
		fmt.Fprintf(out, "%s: unchanged\n", path)
	}
	return config.Check(path, out)
}
