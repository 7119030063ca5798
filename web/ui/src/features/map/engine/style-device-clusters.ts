// Clusters of devices. One says three things apart: how many fire (large, in the colour and shape of the
// worst), of how many (small), and by its ring how many are well, without data, or firing.

import type { LayerSpecification } from 'maplibre-gl'
import { iconName, ringParts } from '@/shared/map/icons'
import { fontStack, visibility, type StyleContext } from './style-context'

/**
 * What the devices source sums up in a cluster, from each device's rank and stale: the worst rank, the
 * number that fires, and the number of the others that have no data.
 */
export const deviceClusterProperties = {
  rank: ['min', ['get', 'rank']],
  firing: ['+', ['case', ['<', ['get', 'rank'], 9], 1, 0]],
  stale: ['+', ['case', ['all', ['>=', ['get', 'rank'], 9], ['==', ['get', 'stale'], 1]], 1, 0]],
}

// Bad news is rounded up and good news down: one of 600 that fires is seen, one of 600 that is well is not.
const partsOf = (count: unknown) => ['ceil', ['/', ['*', count, ringParts], ['get', 'point_count']]]
const firingParts = partsOf(['get', 'firing'])
const staleParts = ['min', ['-', ringParts, firingParts], partsOf(['get', 'stale'])]

/** Names the icon of a cluster: its worst rank, and the parts of its ring. */
export const clusterIcon = (theme: StyleContext['theme']) =>
  ['concat', iconName.cluster(theme), ['to-string', ['get', 'rank']], ':', ['to-string', firingParts], ':', ['to-string', staleParts]] as unknown[]

const total = ['to-string', ['get', 'point_count_abbreviated']]

/** "3" large over "/114" small where three of 114 fire; otherwise the number of devices, which is no number of alarms. */
export const clusterText = [
  'case',
  ['>', ['get', 'firing'], 0],
  ['format', ['to-string', ['get', 'firing']], { 'font-scale': 1.4 }, '\n', {}, ['concat', '/', total], { 'font-scale': 0.72 }],
  ['format', total, {}],
]

function clusters(c: StyleContext, id: 'device-cluster' | 'device-cluster-firing'): LayerSpecification {
  const firing = id === 'device-cluster-firing'
  const ink = c.t.levelInk
  return {
    id,
    type: 'symbol',
    source: 'devices',
    filter: ['all', ['has', 'point_count'], [firing ? '>' : '==', ['get', 'firing'], 0]] as never,
    layout: {
      visibility: visibility(firing || c.on('@devices')),
      'icon-image': clusterIcon(c.theme) as never,
      'icon-size': ['interpolate', ['linear'], ['get', 'point_count'], 2, (firing ? 0.85 : 0.75) * c.scale, 100, 1.1 * c.scale],
      'icon-allow-overlap': true,
      'icon-ignore-placement': true,
      'text-field': clusterText as never,
      'text-font': fontStack,
      'text-size': 12 * c.scale,
      'text-line-height': 0.95,
      'text-allow-overlap': true,
      'text-ignore-placement': true,
      'text-offset': ['match', ['get', 'rank'], 2, ['literal', [0, 0.2]], ['literal', [0, 0]]],
      'symbol-sort-key': ['-', 10, ['get', 'rank']],
    },
    paint: {
      // A firing one keeps its full strength whatever the slider says.
      'icon-opacity': firing ? 1 : c.opacity('@devices'),
      'text-opacity': firing ? 1 : c.opacity('@devices'),
      'text-color': ['match', ['get', 'rank'], 1, ink[1], 2, ink[2], 3, ink[3], 4, ink[4], c.t.text],
    },
  }
}

/** The quiet ones, and those that fire: these are drawn above, whichever tile they are in. */
export const deviceClusters = (c: StyleContext) => [clusters(c, 'device-cluster'), clusters(c, 'device-cluster-firing')] as const
