// What lives: devices by their level, alert areas, the selection. A firing device is never thinned or
// switched off, and a cluster that holds one wears the colour and shape of the worst.

import type { LayerSpecification } from 'maplibre-gl'
import { iconName } from '@/shared/map/icons'
import { deviceClusters } from './style-device-clusters'
import { fontStack, visibility, type StyleContext } from './style-context'
import { fillIn } from '@/features/layers/style/fragment'
import { levelColour } from './layer-themes'

const colourOf = (c: StyleContext) => fillIn(levelColour, c, '')

export function alertLayers(c: StyleContext): LayerSpecification[] {
  const shown = { visibility: visibility(c.on('@areas')) }
  const chosen = ['boolean', ['get', 'chosen'], false]
  return [
    {
      id: 'alert-area-fill',
      type: 'fill',
      source: 'alert-areas',
      layout: shown,
      paint: { 'fill-color': colourOf(c) as never, 'fill-opacity': ['case', chosen, 0.14, 0.06] as never },
    },
    {
      id: 'alert-area-line',
      type: 'line',
      source: 'alert-areas',
      layout: { ...shown, 'line-join': 'round' },
      paint: {
        'line-color': colourOf(c) as never,
        'line-width': ['case', chosen, 3 * c.scale, 1 * c.scale] as never,
        'line-opacity': ['case', chosen, 1, 0.6] as never,
      },
    },
    {
      id: 'selection-line',
      type: 'line',
      source: 'selection',
      filter: ['!=', ['geometry-type'], 'Point'],
      paint: { 'line-color': c.t.accent, 'line-width': 3 * c.scale },
    },
    {
      id: 'measure-line',
      type: 'line',
      source: 'measure',
      paint: { 'line-color': c.t.accent, 'line-width': 2.5 * c.scale, 'line-dasharray': [2, 1.5] },
    },
    {
      id: 'measure-point',
      type: 'circle',
      source: 'measure',
      filter: ['==', ['geometry-type'], 'Point'],
      paint: { 'circle-radius': 4 * c.scale, 'circle-color': c.t.panelSolid, 'circle-stroke-color': c.t.accent, 'circle-stroke-width': 2 },
    },
  ]
}

// Firing ones are a layer of their own above everything: nobody's name may lie over them, and neither
// the switch nor the slider of the layer tree takes them away.
function devicePoints(c: StyleContext, id: 'device-point' | 'device-firing'): LayerSpecification {
  const firing = id === 'device-firing'
  return {
    id,
    type: 'symbol',
    source: 'devices',
    filter: ['all', ['!', ['has', 'point_count']], [firing ? '<' : '>=', ['get', 'rank'], 9]] as never,
    layout: {
      visibility: visibility(firing || c.on('@devices')),
      'icon-image': ['concat', `om:${c.theme}:device:`, ['to-string', ['get', 'level']], ':', ['to-string', ['get', 'stale']]],
      'icon-size': c.scale,
      'icon-allow-overlap': true,
      'icon-ignore-placement': !firing,
      'symbol-sort-key': ['-', 10, ['get', 'rank']],
      'text-field': ['step', ['zoom'], '', firing ? 9.5 : 12, c.name] as never,
      'text-font': fontStack,
      'text-size': 11 * c.scale,
      'text-offset': [0, 1.3],
      'text-anchor': 'top',
      'text-optional': true,
    },
    paint: {
      'icon-opacity': firing ? 1 : c.opacity('@devices'),
      'text-color': c.t.label,
      'text-halo-color': c.t.halo,
      'text-halo-width': 1.4,
    },
  }
}

export function deviceLayers(c: StyleContext): LayerSpecification[] {
  const [quiet, firing] = deviceClusters(c)
  return [
    {
      id: 'selection-halo',
      type: 'circle',
      source: 'selection',
      filter: ['==', ['geometry-type'], 'Point'],
      paint: {
        'circle-radius': 20 * c.scale,
        'circle-color': c.t.accent,
        'circle-opacity': 0.18,
        'circle-stroke-color': c.t.accent,
        'circle-stroke-width': 2 * c.scale,
      },
    },
    devicePoints(c, 'device-point'),
    quiet,
    firing,
    devicePoints(c, 'device-firing'),
    {
      id: 'device-silenced',
      type: 'symbol',
      source: 'devices',
      // Its level stays in sight: the mark is small and beside it.
      filter: ['all', ['!', ['has', 'point_count']], ['==', ['get', 'silenced'], 1]] as never,
      layout: {
        visibility: visibility(c.on('@devices')),
        'icon-image': iconName.silence(c.theme),
        'icon-size': 0.8 * c.scale,
        'icon-offset': [14, -14],
        'icon-allow-overlap': true,
        'icon-ignore-placement': true,
      },
    },
  ]
}
