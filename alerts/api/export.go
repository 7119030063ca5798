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

// exportInput are the query parameters of an export. format has no enum, so that the handler refuses an unknown format
// with an error code of alerts.
type exportInput struct {
	AlertFilter

	Format string `query:"format" doc:"csv or xlsx" default:"csv"`
	Lang   string `query:"lang" enum:"zh,en" default:"zh" doc:"Of the titles and the words"`
}

const exportPath = "/api/v1/alerts/export"

// exportRoute registers the route of the export. huma cannot derive the answer of a stream, so exportRoute describes the
// two formats of the file itself.
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

// exportAlerts streams the alerts as a file. It returns fault.Invalid if the format or the filter is wrong.
func (s *API) exportAlerts(ctx context.Context, p core.Principal, in *exportInput) (*huma.StreamResponse, error) {
	format := export.Format(in.Format)
	if format != export.CSV && format != export.XLSX {
		return nil, fault.InvalidCode("format", alerts.CodeExportFormat, httpx.Cut(in.Format))
	}
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	// Read one alert before the answer begins. Errors of the filter and of the database then become a normal error answer.
	first := f
	first.Limit = 1
	if _, err := s.o.Alerts.Alerts(ctx, p.Scope(), first); err != nil {
		return nil, err // after the first byte of the file, an error can only cut the connection
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", format.ContentType())
		ctx.SetHeader("Content-Disposition", fmt.Sprintf(`attachment; filename="onemap-alerts-%s.%s"`, s.Now().UTC().Format("20060102T150405Z"), format))
		ctx.SetHeader("Cache-Control", "no-store")
		if err := s.writeExport(ctx.Context(), p, f, ctx.BodyWriter(), format, export.Language(in.Lang)); err != nil {
			s.Log().WarnContext(ctx.Context(), "an export failed", slog.String("request_id", httpx.RequestID(ctx.Context())), slog.Any("error", err))
			panic(http.ErrAbortHandler) // a part of the file may be sent: cut the connection, so that the client sees the failure
		}
	}}, nil
}

// writeExport reads the alerts page by page and writes each one at once, so that it never holds the whole export in
// memory. It looks up the name of each division once.
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
	// A number above 0 tells Close to add a last row with the number of rows and the hint that older alerts exist.
	if !more {
		written = 0
	}
	return w.Close(written)
}
