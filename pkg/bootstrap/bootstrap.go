// Package bootstrap writes the first nvad.toml of an NVA in Azure, so that a VM can
// join its hub without hand-written configuration. It combines what the metadata
// service knows of the VM with what only the operator knows: Route Server and the
// other NVAs.
//
// It promises that the file is valid, that it is written as a whole or not at all,
// and that a file which somebody has changed is never overwritten. It keeps no state
// but the mark in that file, and starts nothing: the daemon reads the file like any
// other.
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
	// Secret is a file with the TCP-MD5 key of the sessions with the other NVAs;
	// empty: none. Its content is copied to [KeyFile] beside Output, and nowhere else.
	Secret string
	// DryRun prints the configuration and writes nothing.
	DryRun bool
	// Wait is the longest time to wait for the metadata service.
	Wait time.Duration
}

// Run asks the metadata service and writes the configuration. It reports the result, or
// with DryRun the configuration, to out, and notes to progress. If it returns an error,
// nothing was written.
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
		fmt.Fprintln(progress, "note: without --vnet, the prefix of this NVA's own VNet is announced to the other NVAs, too")
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

// ask completes the request with what the metadata service and the kernel know of this
// machine.
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

// devices returns the devices of all NICs. It leaves out a NIC that the kernel does not
// have, or has without its address, with a note.
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

// mayWrite returns an error if the file is not bootstrap's own. It is called before the
// key is written, since the key belongs to the file.
func mayWrite(path string) error {
	_, err := replaceable(path)
	if errors.Is(err, ErrChanged) {
		return fmt.Errorf("%s %w, so it stays as it is; compare it with \"nvad bootstrap --dry-run\", or move it away and run bootstrap again", path, err)
	}
	return err
}

// put writes the file and reports the result of checking it.
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
