// Places on the earth in degrees, lon before lat.

export type LonLat = [lon: number, lat: number]
export type Bounds = [west: number, south: number, east: number, north: number]

/** [west, south, east, north] of any nest of positions, lon before lat; null of none. */
export function boundsOf(coordinates: unknown): Bounds | null {
  let box: Bounds | null = null
  const walk = (node: unknown) => {
    if (!Array.isArray(node)) return
    if (typeof node[0] === 'number' && typeof node[1] === 'number') {
      const [lon, lat] = node as [number, number]
      box = box
        ? [Math.min(box[0], lon), Math.min(box[1], lat), Math.max(box[2], lon), Math.max(box[3], lat)]
        : [lon, lat, lon, lat]
      return
    }
    node.forEach(walk)
  }
  walk(coordinates)
  return box
}

const earthRadius = 6_371_008.8 // metres, the mean

/** Metres along a great circle between two positions in degrees, by the haversine formula. */
export function distance(a: [number, number], b: [number, number]): number {
  const rad = Math.PI / 180
  const dLat = (b[1] - a[1]) * rad
  const dLon = (b[0] - a[0]) * rad
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(a[1] * rad) * Math.cos(b[1] * rad) * Math.sin(dLon / 2) ** 2
  return 2 * earthRadius * Math.asin(Math.min(1, Math.sqrt(h)))
}
