package cataloguepg

import (
	"context"
	"fmt"

	"onemap/catalogue"
	"onemap/internal/pg"
)

// slimDegrees is the largest width of a part that exists only because an area crosses or touches itself. It is about
// one centimetre, which is an effect of rounding. Units: degrees.
const slimDegrees = 1e-7

// mend repairs invalid areas. It repairs areas that touch themselves, and areas that cross themselves by so little that
// it cannot be intended. With Repair it repairs all other areas too. An area that cannot be repaired is not changed, and
// is refused later.
//
// The outlines divide the plane into faces. A face is slim if its area is less than the length of its outline times
// slimDegrees. A crossing is slim if the area of the repaired shape differs from the area of the original outline only
// by slim faces. A bow-tie, for example, differs by its two wings and is not slim.
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

// keptMended is the largest number of repaired areas that the notes list. All of them are counted.
const keptMended = 20
