// Risk sources, hazard zones, resources, and whatever an import brought.

import type { LayerSpecification } from 'maplibre-gl'
import type { Layer } from '../api/types'
import { iconName, type ResourceIcon } from './icons'
import { baseNames, fontStack, isClustered, resourceNames, visibility, type StyleContext } from './style-context'


/** A level's colour, by the feature's own level. */
export function levelColour(c: StyleContext): unknown[] {
  const l = c.t.levels
  return ['match', ['get', 'level'], 1, l[1], 2, l[2], 3, l[3], 4, l[4], c.t.grey]
}

// Outline by level, fill at 18 %, so that the map below stays readable; closed ones are hatched.
function areas(c: StyleContext, layer: string, minzoom: number): LayerSpecification[] {
  const source = { source: c.source(layer), 'source-layer': layer, minzoom }
  const shown = { visibility: visibility(c.on(layer)) }
  const o = c.opacity(layer)
  return [
    {
      id: `${layer}-fill`,
      type: 'fill',
      ...source,
      layout: shown,
      paint: { 'fill-color': levelColour(c) as never, 'fill-opacity': 0.18 * o },
    },
    {
      id: `${layer}-closed`,
      type: 'fill',
      ...source,
      filter: ['==', ['get', 'closed'], true],
      layout: shown,
      paint: { 'fill-pattern': iconName.hatch(c.theme), 'fill-opacity': 0.5 * o },
    },
    {
      id: `${layer}-line`,
      type: 'line',
      ...source,
      layout: { ...shown, 'line-join': 'round' },
      paint: {
        'line-color': levelColour(c) as never,
        'line-opacity': ['interpolate', ['linear'], ['zoom'], 7, 0.55 * o, 10, o],
        'line-width': ['interpolate', ['linear'], ['zoom'], 8, 0.6 * c.scale, 13, 1.8 * c.scale],
      },
    },
  ]
}

export function hazardLayers(c: StyleContext): LayerSpecification[] {
  return c.has('hazard_zone') ? areas(c, 'hazard_zone', 0) : []
}

export function resourceLayers(c: StyleContext): LayerSpecification[] {
  return resourceNames.filter(c.has).map((layer) => ({
    id: `${layer}-icon`,
    type: 'symbol',
    source: c.source(layer),
    'source-layer': layer,
    minzoom: 8,
    layout: {
      visibility: visibility(c.on(layer)),
      'icon-image': iconName.resource(c.theme, layer as ResourceIcon),
      'icon-size': ['interpolate', ['linear'], ['zoom'], 8, 0.7 * c.scale, 12, c.scale],
      'icon-padding': 1,
      'text-field': ['step', ['zoom'], '', 12, c.name] as never,
      'text-font': fontStack,
      'text-size': 11 * c.scale,
      'text-offset': [0, 1.2],
      'text-anchor': 'top',
      'text-optional': true,
    },
    paint: {
      'icon-opacity': c.opacity(layer),
      'text-opacity': c.opacity(layer),
      'text-color': c.t.label,
      'text-halo-color': c.t.halo,
      'text-halo-width': 1.4,
    },
  }))
}

/** Risk sources: hollow shapes in four colours, so that the solid ones are alerts alone. */
export function riskLayers(c: StyleContext): LayerSpecification[] {
  const layer = c.layers.find((l) => l.name === 'risk_source')
  if (!layer) return []
  const clustered = isClustered(layer)
  const source = clustered ? { source: 'points-risk_source' } : { source: c.source('risk_source'), 'source-layer': 'risk_source' }
  const shown = { visibility: visibility(c.on('risk_source')) }
  const o = c.opacity('risk_source')
  const point: LayerSpecification = {
    id: 'risk_source-icon',
    type: 'symbol',
    ...source,
    ...(clustered ? { filter: ['!', ['has', 'point_count']] } : {}),
    layout: {
      ...shown,
      'icon-image': ['concat', `om:${c.theme}:risk:`, ['to-string', ['get', 'level']]],
      'icon-size': ['interpolate', ['linear'], ['zoom'], 8, 0.75 * c.scale, 13, 1.1 * c.scale],
      'icon-allow-overlap': true,
      'symbol-sort-key': ['-', 10, ['case', ['==', ['get', 'level'], 0], 9, ['get', 'level']]],
      'text-field': ['step', ['zoom'], '', 13, c.name] as never,
      'text-font': fontStack,
      'text-size': 11 * c.scale,
      'text-offset': [0, 1],
      'text-anchor': 'top',
      'text-optional': true,
    },
    paint: { 'icon-opacity': o, 'text-opacity': o, 'text-color': c.t.label, 'text-halo-color': c.t.halo, 'text-halo-width': 1.4 },
  }
  if (!clustered) return [point]
  const l = c.t.levels
  const cluster: LayerSpecification = {
    id: 'risk_source-cluster',
    type: 'symbol',
    ...source,
    filter: ['has', 'point_count'],
    layout: {
      ...shown,
      'icon-image': ['concat', iconName.riskCluster(c.theme), ['to-string', ['get', 'rank']]],
      'icon-size': ['interpolate', ['linear'], ['get', 'point_count'], 2, 0.66 * c.scale, 200, 0.95 * c.scale],
      'icon-allow-overlap': true,
      'text-field': ['to-string', ['get', 'point_count_abbreviated']],
      'text-font': fontStack,
      'text-size': 10 * c.scale,
      'text-allow-overlap': true,
      'text-offset': ['match', ['get', 'rank'], 2, ['literal', [0, 0.25]], ['literal', [0, 0]]],
      'symbol-sort-key': ['-', 10, ['get', 'rank']],
    },
    paint: {
      'icon-opacity': o,
      'text-opacity': o,
      'text-color': ['match', ['get', 'rank'], 1, l[1], 2, l[2], 3, l[3], 4, l[4], c.t.muted],
    },
  }
  return [point, cluster]
}

const known = new Set([...baseNames, ...resourceNames, 'risk_source', 'hazard_zone'])

function genericPoint(c: StyleContext, l: Layer): LayerSpecification {
  const o = c.opacity(l.name)
  return {
    id: `${l.name}-point`,
    type: 'circle',
    source: c.source(l.name),
    'source-layer': l.name,
    filter: ['==', ['geometry-type'], 'Point'],
    layout: { visibility: visibility(c.on(l.name)) },
    paint: {
      'circle-color': levelColour(c) as never,
      'circle-radius': ['interpolate', ['linear'], ['zoom'], 7, 2 * c.scale, 13, 5.5 * c.scale],
      'circle-opacity': 0.85 * o,
      'circle-stroke-color': c.t.halo,
      'circle-stroke-width': 1,
      'circle-stroke-opacity': o,
    },
  }
}

/** Layers of the catalogue that no one styled, by their geometry. */
export function genericLayers(c: StyleContext, part: 'areas' | 'lines' | 'points'): LayerSpecification[] {
  return c.layers
    .filter((l) => !known.has(l.name))
    .flatMap((l): LayerSpecification[] => {
      const type = l.geometry_type.replace('Multi', '')
      const any = type === 'Geometry' || type === ''
      if (part === 'areas' && (type === 'Polygon' || any)) {
        return areas(c, l.name, 0).map((layer) =>
          any && layer.type === 'fill' && !('filter' in layer && layer.filter)
            ? { ...layer, filter: ['==', ['geometry-type'], 'Polygon'] as never }
            : layer,
        )
      }
      if (part === 'lines' && type === 'LineString') return areas(c, l.name, 0).filter((layer) => layer.type === 'line')
      if (part === 'points' && (type === 'Point' || any)) return [genericPoint(c, l)]
      return []
    })
}
