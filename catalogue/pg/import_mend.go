package cataloguepg

import (
	"context"
	"fmt"

	"onemap/catalogue"
	"onemap/internal/pg"
)

// slimDegrees is how wide a part of an area may be that is only there because the area crosses or touches itself: a
// centimetre, which comes of rounding.
const slimDegrees = 1e-7

// mend makes areas valid that are not: those that touch themselves, or cross themselves by so little that nobody drew it,
// and with Repair all others too. What cannot be mended stays, to be refused.
//
// Whether a crossing is slim is told by the faces into which the outlines cut the plane. The area by which the mended shape
// differs from that of the outline as it was drawn has to be that of faces that are slim: a bow-tie differs by its two
// wings. A face is slim whose area is less than its outline times slimDegrees.
func (imp *importer) mend(ctx context.Context) error {
	rows, err := imp.tx.Query(ctx, `
		with broken as (
			select ord, geom, ST_MakeValid(geom, 'method=structure') as whole
			from import_stage where refused is null and ST_Dimension(geom) = 2 and not ST_IsValid(geom)
		), mended as (
			select ord, geom, case GeometryType(geom) when 'GEOMETRYCOLLECTION' then whole else ST_CollectionExtract(whole, 3) end as whole
			from broken
		), judged as (
			select ord, whole, $1 or abs(ST_Area(whole) - ST_Area(geom)) <= 2 * slim.area + $2::float8 * 1e-4 * ST_Perimeter(whole) as take
			from mended, lateral (
				select coalesce(sum(ST_Area(f.geom)), 0) as area
				from ST_Dump(ST_Polygonize(array[ST_UnaryUnion(ST_Boundary(ST_CollectionExtract(mended.geom, 3)))])) f
				where ST_Area(f.geom) <= $2 * ST_Perimeter(f.geom)
			) slim
		)
		update import_stage s set geom = whole
		from judged j where j.ord = s.ord and take and not ST_IsEmpty(whole) and ST_IsValid(whole)
		returning s.line, s.ord, s.at, s.source_key`, imp.o.Repair, slimDegrees)
	if err != nil {
		return fmt.Errorf("mend areas: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r catalogue.Refusal
		if err := rows.Scan(&r.Line, &r.Number, &r.Offset, &r.Key); err != nil {
			return fmt.Errorf("mend areas: %w", err)
		}
		if imp.rep.Mended++; imp.rep.Mended <= keptMended {
			imp.rep.Notes = append(imp.rep.Notes, fmt.Sprintf("line %d, record %d, byte %d, key %s: the area crossed or touched itself and was mended", r.Line, r.Number, r.Offset, r.Key))
		}
	}
	return pg.MapErr(rows.Err(), "mend areas")
}

// keptMended is how many mended areas are named; all are counted.
const keptMended = 20
