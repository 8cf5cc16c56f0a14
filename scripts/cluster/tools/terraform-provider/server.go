package main

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// values are the attributes and blocks of a provider or resource.
type values = map[string]tftypes.Value

// A maker makes what was planned.
type maker interface {
	// configure takes the provider's own arguments; some may be unknown before the first apply.
	configure(arguments values) error
	// plan fills in what the configuration leaves out, and refuses what make would not honour.
	plan(resource values) error
	// make creates or changes a resource and returns what it is then.
	make(ctx context.Context, resource values) (values, error)
	// exists says whether a resource is still there.
	exists(ctx context.Context, resource values) (bool, error)
	// remove deletes it; that it is gone already is no error.
	remove(ctx context.Context, resource values) error
}

// standIn answers Terraform. What no test asks of it (import, moves, functions, ephemeral resources, identities) is
// left to the embedded nil: Terraform then says that the plugin crashed.
type standIn struct {
	tfprotov6.ProviderServer
	schema *providerSchema
	maker  maker
}

func (s *standIn) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	answer := &tfprotov6.GetMetadataResponse{ServerCapabilities: capabilities()}
	for name := range s.schema.resources {
		answer.Resources = append(answer.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	for name := range s.schema.dataSources {
		answer.DataSources = append(answer.DataSources, tfprotov6.DataSourceMetadata{TypeName: name})
	}
	return answer, nil
}

func (s *standIn) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return &tfprotov6.GetProviderSchemaResponse{
		ServerCapabilities: capabilities(), Provider: s.schema.provider,
		ResourceSchemas: s.schema.resources, DataSourceSchemas: s.schema.dataSources,
	}, nil
}

func (s *standIn) GetResourceIdentitySchemas(context.Context, *tfprotov6.GetResourceIdentitySchemasRequest) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

func (s *standIn) ValidateProviderConfig(_ context.Context, asked *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: asked.Config}, nil
}

func (s *standIn) ConfigureProvider(_ context.Context, asked *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	arguments, err := read(asked.Config, s.schema.provider)
	if err == nil {
		err = s.maker.configure(arguments)
	}
	return &tfprotov6.ConfigureProviderResponse{Diagnostics: diagnose(err)}, nil
}

func (s *standIn) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

func (s *standIn) ValidateResourceConfig(context.Context, *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return &tfprotov6.ValidateResourceConfigResponse{}, nil
}

func (s *standIn) ValidateDataResourceConfig(context.Context, *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return &tfprotov6.ValidateDataResourceConfigResponse{}, nil
}

func (s *standIn) ReadDataSource(_ context.Context, asked *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	err := fmt.Errorf("%s: the stand-in for %s knows no data; mock it", asked.TypeName, s.schema.source)
	return &tfprotov6.ReadDataSourceResponse{Diagnostics: diagnose(err)}, nil
}

func (s *standIn) UpgradeResourceState(_ context.Context, asked *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	kind := s.schema.resources[asked.TypeName].ValueType()
	value, err := asked.RawState.Unmarshal(kind)
	state, err := write(kind, value, err)
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: state, Diagnostics: diagnose(err)}, nil
}

func (s *standIn) ReadResource(ctx context.Context, asked *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	schema := s.schema.resources[asked.TypeName]
	resource, err := read(asked.CurrentState, schema)
	if err != nil {
		return &tfprotov6.ReadResourceResponse{Diagnostics: diagnose(err)}, nil
	}
	there, err := s.maker.exists(ctx, resource)
	state := asked.CurrentState
	if err == nil && !there {
		state, err = write(schema.ValueType(), tftypes.NewValue(schema.ValueType(), nil), nil)
	}
	return &tfprotov6.ReadResourceResponse{NewState: state, Diagnostics: diagnose(err)}, nil
}

func (s *standIn) PlanResourceChange(_ context.Context, asked *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	schema := s.schema.resources[asked.TypeName]
	proposed, err := asked.ProposedNewState.Unmarshal(schema.ValueType())
	if err != nil || proposed.IsNull() {
		return &tfprotov6.PlanResourceChangeResponse{PlannedState: asked.ProposedNewState, Diagnostics: diagnose(err)}, nil
	}
	prior, err := asked.PriorState.Unmarshal(schema.ValueType())
	if err == nil && !prior.Equal(proposed) {
		proposed, err = s.planned(schema, proposed)
	}
	state, err := write(schema.ValueType(), proposed, err)
	return &tfprotov6.PlanResourceChangeResponse{PlannedState: state, Diagnostics: diagnose(err)}, nil
}

// planned fills in what the configuration leaves out; what only the maker can know is unknown.
func (s *standIn) planned(schema *tfprotov6.Schema, proposed tftypes.Value) (tftypes.Value, error) {
	resource := values{}
	if err := proposed.As(&resource); err != nil {
		return proposed, err
	}
	if err := s.maker.plan(resource); err != nil {
		return proposed, err
	}
	for _, attribute := range schema.Block.Attributes {
		if attribute.Computed && resource[attribute.Name].IsNull() {
			resource[attribute.Name] = tftypes.NewValue(attribute.ValueType(), tftypes.UnknownValue)
		}
	}
	return tftypes.NewValue(schema.ValueType(), resource), nil
}

func (s *standIn) ApplyResourceChange(ctx context.Context, asked *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	schema := s.schema.resources[asked.TypeName]
	kind := schema.ValueType()
	planned, err := asked.PlannedState.Unmarshal(kind)
	if err == nil && planned.IsNull() {
		var prior values
		if prior, err = read(asked.PriorState, schema); err == nil {
			err = s.maker.remove(ctx, prior)
		}
		if err != nil { // it is still there
			return &tfprotov6.ApplyResourceChangeResponse{NewState: asked.PriorState, Diagnostics: diagnose(err)}, nil
		}
		return &tfprotov6.ApplyResourceChangeResponse{NewState: asked.PlannedState}, nil
	}
	resource := values{}
	if err == nil {
		err = planned.As(&resource)
	}
	if err == nil {
		resource, err = s.maker.make(ctx, resource)
	}
	if err != nil {
		return &tfprotov6.ApplyResourceChangeResponse{NewState: asked.PriorState, Diagnostics: diagnose(err)}, nil
	}
	for _, attribute := range schema.Block.Attributes {
		if !resource[attribute.Name].IsKnown() {
			resource[attribute.Name] = tftypes.NewValue(attribute.ValueType(), nil)
		}
	}
	state, err := write(kind, tftypes.NewValue(kind, resource), nil)
	return &tfprotov6.ApplyResourceChangeResponse{NewState: state, Diagnostics: diagnose(err)}, nil
}

func capabilities() *tfprotov6.ServerCapabilities {
	return &tfprotov6.ServerCapabilities{GetProviderSchemaOptional: true}
}

func read(from *tfprotov6.DynamicValue, schema *tfprotov6.Schema) (values, error) {
	value, err := from.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	into := values{}
	return into, value.As(&into)
}

func write(kind tftypes.Type, value tftypes.Value, err error) (*tfprotov6.DynamicValue, error) {
	if err != nil {
		return nil, err
	}
	state, err := tfprotov6.NewDynamicValue(kind, value)
	return &state, err
}

func diagnose(err error) []*tfprotov6.Diagnostic {
	if err == nil {
		return nil
	}
	return []*tfprotov6.Diagnostic{{Severity: tfprotov6.DiagnosticSeverityError, Summary: err.Error()}}
}

// nobody plans and makes nothing.
type nobody struct{ source string }

func (n nobody) configure(values) error { return nil }
func (n nobody) plan(values) error      { return nil }
func (n nobody) make(context.Context, values) (values, error) {
	return nil, fmt.Errorf("the stand-in for %s makes nothing", n.source)
}
func (n nobody) exists(context.Context, values) (bool, error) { return true, nil }
func (n nobody) remove(context.Context, values) error {
	return fmt.Errorf("the stand-in for %s removes nothing", n.source)
}
