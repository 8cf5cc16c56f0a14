// Command terraform-provider stands in for a Terraform provider where the real one cannot be had.
//
// It is called by the real one's file name (terraform-provider-helm_v3.1.1) and has its schema, so that Terraform checks
// a configuration as it would with the real one. As helm it also makes releases, by running helm; of any other it
// plans and makes nothing. It is for tests and never part of what is shipped.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
)

func main() {
	if err := serve(filepath.Base(os.Args[0])); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(program string) error {
	name, found := strings.CutPrefix(program, "terraform-provider-")
	if !found {
		return fmt.Errorf("called as %q, expected terraform-provider-<name>_v<version>", program)
	}
	name, _, _ = strings.Cut(name, "_")
	schema, err := readSchema(name)
	if err != nil {
		return err
	}
	var maker maker = nobody{source: schema.source}
	if name == "helm" {
		maker = &helm{run: runHelm}
	}
	return tf6server.Serve("registry.terraform.io/"+schema.source, func() tfprotov6.ProviderServer {
		return &standIn{schema: schema, maker: maker}
	})
}
