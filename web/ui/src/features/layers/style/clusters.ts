// What the style and the picking know of points that the server drew as one: they have a count, the
// worst level, and no id; a point that stands for others beside it has a count and its own id.

import type { FilterSpecification } from 'maplibre-gl'

/** Whether a feature of a tile is a cluster. A feature's id is 1 or more. */
export const isClusterFeature = ['all', ['has', 'count'], ['!', ['to-boolean', ['id']]]] as unknown as FilterSpecification

export const clusterCount = ['number', ['get', 'count'], 1]

/** 1 (worst) to 4, or 9 where none of them has a level. */
export const clusterRank = ['match', ['get', 'level'], 1, 1, 2, 2, 3, 3, 4, 4, 9]

/** 7, 1.2k, 31k: short enough for a circle. */
export const clusterCountText = [
  'case',
  ['>=', clusterCount, 10_000],
  ['concat', ['to-string', ['round', ['/', clusterCount, 1000]]], 'k'],
  ['>=', clusterCount, 1000],
  ['concat', ['to-string', ['/', ['round', ['/', clusterCount, 100]], 10]], 'k'],
  ['to-string', clusterCount],
]
