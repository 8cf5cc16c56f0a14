package main

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// What helm is run with; the rest of the provider's arguments is refused, so that nothing is left out in silence.
var honoured = map[string]bool{
	"chart": true, "create_namespace": true, "id": true, "max_history": true, "metadata": true, "name": true,
	"namespace": true, "repository": true, "status": true, "timeout": true, "values": true, "version": true, "wait": true,
	"wait_for_jobs": true, "manifest": true, "resources": true,
}

// The provider's own defaults, as its documentation has them.
var defaults = values{
	"create_namespace": tftypes.NewValue(tftypes.Bool, false),
	"max_history":      tftypes.NewValue(tftypes.Number, 0),
	"namespace":        tftypes.NewValue(tftypes.String, "default"),
	"timeout":          tftypes.NewValue(tftypes.Number, 300),
	"wait":             tftypes.NewValue(tftypes.Bool, true),
	"wait_for_jobs":    tftypes.NewValue(tftypes.Bool, false),
}

var flags = map[string]string{
	"create_namespace": "--create-namespace", "repository": "--repo", "version": "--version", "wait": "--wait",
	"wait_for_jobs": "--wait-for-jobs",
}

// helm makes releases by running helm against the kubeconfig and context that the provider was given.
type helm struct {
	run                 func(ctx context.Context, stdin string, arguments ...string) (string, error)
	kubeconfig, context string
}

func (h *helm) configure(arguments values) error {
	cluster := values{}
	if given := arguments["kubernetes"]; given.IsNull() || !given.IsKnown() {
		return nil
	} else if err := given.As(&cluster); err != nil {
		return err
	}
	for name, value := range cluster {
		if !value.IsNull() && name != "config_path" && name != "config_context" {
			return fmt.Errorf("kubernetes.%s: the stand-in for helm takes config_path and config_context only", name)
		}
	}
	h.kubeconfig, h.context = text(cluster["config_path"]), text(cluster["config_context"])
	return nil
}

func (h *helm) plan(release values) error {
	for name, value := range release {
		if !honoured[name] && !value.IsNull() && value.IsKnown() {
			return fmt.Errorf("%s: the stand-in for helm does not honour it", name)
		}
		if value.IsNull() && !defaults[name].IsNull() {
			release[name] = defaults[name]
		}
	}
	return nil
}

func (h *helm) make(ctx context.Context, release values) (values, error) {
	arguments := []string{"upgrade", "--install", text(release["name"]), text(release["chart"])}
	for _, name := range []string{"repository", "version"} {
		if value := text(release[name]); value != "" {
			arguments = append(arguments, flags[name], value)
		}
	}
	for _, name := range []string{"create_namespace", "wait", "wait_for_jobs"} {
		if yes(release[name]) {
			arguments = append(arguments, flags[name])
		}
	}
	arguments = append(arguments, "--history-max", number(release["max_history"]), "--timeout", number(release["timeout"])+"s")
	var documents []tftypes.Value
	if given := release["values"]; !given.IsNull() {
		if err := given.As(&documents); err != nil {
			return nil, err
		}
	}
	stdin := ""
	if len(documents) > 0 { // the last, which is laid over the others, where a person would pipe it
		stdin = text(documents[len(documents)-1])
		for _, document := range documents[:len(documents)-1] {
			file, err := temporary(text(document))
			if err != nil {
				return nil, err
			}
			defer os.Remove(file)
			arguments = append(arguments, "--values", file)
		}
		arguments = append(arguments, "--values", "-")
	}
	if _, err := h.run(ctx, stdin, h.at(release, arguments)...); err != nil {
		return nil, err
	}
	release["id"] = release["name"]
	release["status"] = tftypes.NewValue(tftypes.String, "deployed")
	return release, nil
}

func (h *helm) exists(ctx context.Context, release values) (bool, error) {
	_, err := h.run(ctx, "", h.at(release, []string{"status", text(release["name"])})...)
	if err != nil && strings.Contains(err.Error(), "release: not found") {
		return false, nil
	}
	return err == nil, err
}

func (h *helm) remove(ctx context.Context, release values) error {
	_, err := h.run(ctx, "", h.at(release, []string{
		"uninstall", text(release["name"]), "--ignore-not-found", "--wait", "--timeout", number(release["timeout"]) + "s",
	})...)
	return err
}

// at adds where the release is to helm's arguments.
func (h *helm) at(release values, arguments []string) []string {
	arguments = append(arguments, "--namespace", text(release["namespace"]))
	if h.kubeconfig != "" {
		arguments = append(arguments, "--kubeconfig", h.kubeconfig)
	}
	if h.context != "" {
		arguments = append(arguments, "--kube-context", h.context)
	}
	return arguments
}

// temporary writes a file and returns its path.
func temporary(content string) (string, error) {
	file, err := os.CreateTemp("", "values-*.yaml")
	if err != nil {
		return "", err
	}
	defer file.Close()
	_, err = file.WriteString(content)
	return file.Name(), err
}

// runHelm runs the helm on PATH and returns what it printed.
func runHelm(ctx context.Context, stdin string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "helm", arguments...)
	command.Env = os.Environ()
	command.Stdin = strings.NewReader(stdin)
	var output, problems bytes.Buffer
	command.Stdout, command.Stderr = &output, &problems
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("helm %s: %w: %s", strings.Join(arguments[:min(3, len(arguments))], " "), err, strings.TrimSpace(problems.String()))
	}
	return output.String(), nil
}

// text, yes and number are a value of that type; nothing where it is null or unknown.
func text(value tftypes.Value) string {
	var into string
	if value.IsNull() || !value.IsKnown() || value.As(&into) != nil {
		return ""
	}
	return into
}

func yes(value tftypes.Value) bool {
	var into bool
	return !value.IsNull() && value.IsKnown() && value.As(&into) == nil && into
}

func number(value tftypes.Value) string {
	into := big.NewFloat(0)
	if value.IsNull() || !value.IsKnown() || value.As(&into) != nil {
		return "0"
	}
	return into.Text('f', -1)
}
