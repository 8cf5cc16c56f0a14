package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// In the form of `terraform providers schema -json`; scripts/infrastructure writes them.
//
//go:embed schemas/*.json
var schemas embed.FS

type providerSchema struct {
	source      string
	provider    *tfprotov6.Schema
	resources   map[string]*tfprotov6.Schema
	dataSources map[string]*tfprotov6.Schema
}

type blockJSON struct {
	Attributes map[string]attributeJSON `json:"attributes"`
	BlockTypes map[string]struct {
		NestingMode string    `json:"nesting_mode"`
		Block       blockJSON `json:"block"`
		MinItems    int64     `json:"min_items"`
		MaxItems    int64     `json:"max_items"`
	} `json:"block_types"`
}

type attributeJSON struct {
	Type       json.RawMessage `json:"type"`
	NestedType *struct {
		NestingMode string                   `json:"nesting_mode"`
		Attributes  map[string]attributeJSON `json:"attributes"`
	} `json:"nested_type"`
	Required, Optional, Computed bool
}

var blockNesting = map[string]tfprotov6.SchemaNestedBlockNestingMode{
	"single": tfprotov6.SchemaNestedBlockNestingModeSingle,
	"list":   tfprotov6.SchemaNestedBlockNestingModeList,
	"set":    tfprotov6.SchemaNestedBlockNestingModeSet,
}

var attributeNesting = map[string]tfprotov6.SchemaObjectNestingMode{
	"single": tfprotov6.SchemaObjectNestingModeSingle,
	"list":   tfprotov6.SchemaObjectNestingModeList,
	"set":    tfprotov6.SchemaObjectNestingModeSet,
	"map":    tfprotov6.SchemaObjectNestingModeMap,
}

func readSchema(name string) (*providerSchema, error) {
	file := "schemas/" + name + ".json"
	text, err := schemas.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("no schema of a provider %q: %w", name, err)
	}
	type entry struct {
		Block blockJSON `json:"block"`
	}
	var read struct {
		Source            string           `json:"source"`
		Provider          entry            `json:"provider"`
		ResourceSchemas   map[string]entry `json:"resource_schemas"`
		DataSourceSchemas map[string]entry `json:"data_source_schemas"`
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	schema := &providerSchema{source: read.Source, resources: map[string]*tfprotov6.Schema{}, dataSources: map[string]*tfprotov6.Schema{}}
	if schema.provider, err = schemaOf(read.Provider.Block); err != nil {
		return nil, fmt.Errorf("%s: provider: %w", file, err)
	}
	for into, from := range map[*map[string]*tfprotov6.Schema]map[string]entry{
		&schema.resources: read.ResourceSchemas, &schema.dataSources: read.DataSourceSchemas,
	} {
		for kind, one := range from {
			if (*into)[kind], err = schemaOf(one.Block); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", file, kind, err)
			}
		}
	}
	return schema, nil
}

func schemaOf(from blockJSON) (*tfprotov6.Schema, error) {
	block, err := blockOf(from)
	return &tfprotov6.Schema{Block: block}, err
}

func blockOf(from blockJSON) (*tfprotov6.SchemaBlock, error) {
	attributes, err := attributesOf(from.Attributes)
	if err != nil {
		return nil, err
	}
	block := &tfprotov6.SchemaBlock{Attributes: attributes}
	for _, name := range slices.Sorted(maps.Keys(from.BlockTypes)) {
		one := from.BlockTypes[name]
		inner, err := blockOf(one.Block)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		nesting, known := blockNesting[one.NestingMode]
		if !known {
			return nil, fmt.Errorf("%s: unknown nesting %q", name, one.NestingMode)
		}
		block.BlockTypes = append(block.BlockTypes, &tfprotov6.SchemaNestedBlock{
			TypeName: name, Block: inner, Nesting: nesting, MinItems: one.MinItems, MaxItems: one.MaxItems,
		})
	}
	return block, nil
}

func attributesOf(from map[string]attributeJSON) ([]*tfprotov6.SchemaAttribute, error) {
	var attributes []*tfprotov6.SchemaAttribute
	for _, name := range slices.Sorted(maps.Keys(from)) {
		one := from[name]
		attribute := &tfprotov6.SchemaAttribute{
			Name: name, Required: one.Required, Optional: one.Optional, Computed: one.Computed,
		}
		if one.NestedType == nil {
			kind, err := tftypes.ParseJSONType(one.Type) //nolint:staticcheck // the only reader of this form
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			attribute.Type = kind
		} else {
			nested, err := attributesOf(one.NestedType.Attributes)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			nesting, known := attributeNesting[one.NestedType.NestingMode]
			if !known {
				return nil, fmt.Errorf("%s: unknown nesting %q", name, one.NestedType.NestingMode)
			}
			attribute.NestedType = &tfprotov6.SchemaObject{Attributes: nested, Nesting: nesting}
		}
		attributes = append(attributes, attribute)
	}
	return attributes, nil
}
