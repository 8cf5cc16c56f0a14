// Delivery says what becomes of alerts: what the Prometheus Operator makes of an AlertmanagerConfig, and what
// Alertmanager then does with alerts. Both answers come from their own packages; only the waiting is left out.
//
//	delivery convert < objects.json > alertmanager.yaml
//	delivery deliver -config alertmanager.yaml < alerts.json > outcome.json
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "delivery:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, input io.Reader, output io.Writer) error {
	if len(arguments) == 0 {
		return fmt.Errorf("expected convert or deliver")
	}
	switch verb, rest := arguments[0], arguments[1:]; verb {
	case "convert":
		return convert(ctx, input, output)
	case "deliver":
		flags := flag.NewFlagSet(verb, flag.ContinueOnError)
		config := flags.String("config", "", "configuration of Alertmanager")
		if err := flags.Parse(rest); err != nil {
			return err
		}
		return deliver(ctx, *config, input, output)
	default:
		return fmt.Errorf("expected convert or deliver, got %q", verb)
	}
}
