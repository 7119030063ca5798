package alertsapi

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"onemap/alerts"
	"onemap/alerts/export"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/httpx"
)

type exportInput struct {
	AlertFilter

	Format string `query:"format" doc:"csv or xlsx" default:"csv"`
	Lang   string `query:"lang" enum:"zh,en" default:"zh" doc:"Of the titles and the words"`
}

const exportPath = "/api/v1/alerts/export"

func (s *API) exportRoute() {
	httpx.Register(s.Server, httpx.View, httpx.Lasting(httpx.Op(http.MethodGet, exportPath, "exportAlerts",
		fmt.Sprintf("The alerts of the scope as a table, newest first; at most %d, the last row says when there are more", alerts.MaxExport))), s.exportAlerts)
	s.Huma().Paths[exportPath].Get.Responses["200"] = &huma.Response{
		Description: "The file", Content: map[string]*huma.MediaType{
			export.CSV.ContentType():  {Schema: &huma.Schema{Type: huma.TypeString}},
			export.XLSX.ContentType(): {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		},
	}
}

func (s *API) exportAlerts(ctx context.Context, p core.Principal, in *exportInput) (*huma.StreamResponse, error) {
	format := export.Format(in.Format)
	if format != export.CSV && format != export.XLSX {
		return nil, fault.InvalidCode("format", alerts.CodeExportFormat, httpx.Cut(in.Format))
	}
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	first := f
	first.Limit = 1
	if _, err := s.o.Alerts.Alerts(ctx, p.Scope(), first); err != nil {
		return nil, err // once the file is begun, it can only be cut off
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", format.ContentType())
		ctx.SetHeader("Content-Disposition", fmt.Sprintf(`attachment; filename="onemap-alerts-%s.%s"`, s.Now().UTC().Format("20060102T150405Z"), format))
		ctx.SetHeader("Cache-Control", "no-store")
		if err := s.writeExport(ctx.Context(), p, f, ctx.BodyWriter(), format, export.Language(in.Lang)); err != nil {
			s.Log().WarnContext(ctx.Context(), "an export failed", slog.String("request_id", httpx.RequestID(ctx.Context())), slog.Any("error", err))
			panic(http.ErrAbortHandler) // part of the file may be out: cut the connection rather than end it well
		}
	}}, nil
}

// writeExport writes the file as it reads it.
func (s *API) writeExport(ctx context.Context, p core.Principal, f alerts.Filter, out io.Writer, format export.Format, lang export.Language) error {
	w, err := export.NewWriter(out, format, lang)
	if err != nil {
		return err
	}
	defer w.Abandon()
	names := map[string]core.Text{}
	written := 0
	more, err := s.o.Handler.Export(ctx, p.Scope(), f, alerts.MaxExport, func(a alerts.Alert, steps []alerts.Audit) error {
		name, known := names[a.Division]
		if !known {
			if name, err = s.o.Divisions.DivisionName(ctx, a.Division); err != nil {
				return err
			}
			names[a.Division] = name
		}
		written++
		return w.Write(export.Row{Alert: a, Steps: steps, Division: name})
	})
	if err != nil {
		return err
	}
	if !more {
		written = 0
	}
	return w.Close(written)
}
