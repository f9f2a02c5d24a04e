// Package bootstrap writes the first nvad.toml of an NVA in Azure, so that a VM can
// join its hub without hand-written configuration. It combines what the metadata
// service knows of the VM with what the operator says of Route Server and of the other
// NVAs. What the operator leaves open, it asks Azure Resource Manager, through nvactl.
//
// It promises that the file is valid, that it is written as a whole or not at all,
// and that a file which somebody has changed is never overwritten. Nothing that Azure
// says can become more than a value in that file. It keeps no state but the mark in the
// file, and starts nothing: the daemon reads the file like any other.
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
	// DryRun prints the configuration, and what would be registered in Azure, and changes
	// nothing.
	DryRun bool
	// Wait is the longest time to wait for Azure: for the metadata service, and for what
	// Resource Manager does not show yet.
	Wait time.Duration
}

// Run asks Azure and writes the configuration. It reports the result, or with DryRun the
// configuration, to out, and notes to progress. If it returns an error, nothing was
// written.
func Run(ctx context.Context, r Request, o Options, out, progress io.Writer) error {
	if err := r.Check(); err != nil {
		return err
	}
	key, err := readSecret(o.Secret)
	if err != nil {
		return err
	}
	if !o.DryRun {
		if err := mayWrite(o.Output); err != nil {
			return err
		}
	}
	var cli nvactl
	if r.Azure != nil {
		if cli, err = findNvactl(r.Azure.ClientID, progress); err != nil {
			return err
		}
		cli.dryRun = o.DryRun
	}
	ctx, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	m, err := ask(ctx, progress)
	if err != nil {
		return err
	}
	var reg registration
	if r.Azure != nil {
		if r, reg, err = cli.discover(ctx, r, m.nic.Addresses[0]); err != nil {
			return err
		}
	}
	content, err := m.content(r, o.Output, key, progress)
	if err != nil {
		return err
	}
	if o.DryRun {
		reg.report(progress)
		_, err := out.Write(marked(content))
		return err
	}
	if err := cli.register(ctx, reg); err != nil {
		return err
	}
	return put(o.Output, content, key, out)
}

// machine describes this machine, as the metadata service and the kernel know it.
type machine struct {
	name   string
	nic    imds.NIC // the primary one
	device string   // of nic
	nics   []string // devices of all NICs
}

func ask(ctx context.Context, progress io.Writer) (machine, error) {
	client := imds.New()
	client.OnRetry = func(err error, pause time.Duration) {
		fmt.Fprintf(progress, "metadata service: %v; asking again in %v\n", err, pause)
	}
	in, err := client.Instance(ctx)
	if err != nil {
		return machine{}, err
	}
	nic, err := in.Primary()
	if err != nil {
		return machine{}, err
	}
	device, err := deviceOf(nic)
	if err != nil {
		return machine{}, err
	}
	return machine{in.Name, nic, device, devices(in.NICs, progress)}, nil
}

// content returns the file for this machine.
func (m machine) content(r Request, output string, key []byte, progress io.Writer) ([]byte, error) {
	p, err := derive(r, m.name, m.nic, m.device)
	if err != nil {
		return nil, err
	}
	p.NICs = m.nics
	if p.Key, err = keyPath(key, output); err != nil {
		return nil, err
	}
	if len(p.VNets) == 0 && len(p.others()) > 0 {
		fmt.Fprintln(progress, "note: without --vnet, the prefix of this NVA's own VNet is announced to the other NVAs, too")
	}
	return render(p, output)
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

// mayWrite returns an error if the file is not bootstrap's own. It is called before
// anything is asked or changed.
func mayWrite(path string) error {
	_, err := replaceable(path)
	if errors.Is(err, ErrChanged) {
		return fmt.Errorf("%s %w, so it stays as it is; compare it with \"nvad bootstrap --dry-run\", or move it away and run bootstrap again", path, err)
	}
	return err
}

// put writes the key and the file, and reports the result of checking the file.
func put(path string, content, key []byte, out io.Writer) error {
	file, err := keyPath(key, path)
	if err != nil {
		return err
	}
	if err := writeKey(file, key); err != nil {
		return err
	}
	changed, err := write(path, content)
	switch {
	case err != nil:
		return err
	case !changed:
		fmt.Fprintf(out, "%s: unchanged\n", path)
	}
	return config.Check(path, out)
}
