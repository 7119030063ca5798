// Where a county unit is.

import * as api from '@/shared/api/endpoints'
import { boundsOf } from '@/shared/geo/geo'

const mostCounties = 100

/**
 * West, south, east, north of the county of a division code; a town's is its county's. null: the code is not a
 * county's or a town's, or no county has it. It rejects when the server is not reached.
 */
export async function countyBox(division: string): Promise<[number, number, number, number] | null> {
  const code = division.slice(0, 6)
  if (code.length < 6) return null
  const { features } = await api.features('county', { limit: mostCounties })
  return boundsOf(features.filter((f) => f.properties.division === code).map((f) => f.geometry.coordinates))
}
