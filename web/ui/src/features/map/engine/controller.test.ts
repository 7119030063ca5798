// The controller over a map that draws nothing: what it tells the page, and where it lets the map go.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { FeatureCollection } from 'geojson'
import type { StyleSpecification } from 'maplibre-gl'
import type { Pick } from '@/shared/workspace/ui'
import { MapController, type MapEvents } from './controller'

type Listener = (event: Record<string, unknown>) => void
interface Rendered {
  source: string
  layer: { id: string }
  properties: Record<string, unknown>
  geometry: { type: string; coordinates?: number[] }
  id?: number
  sourceLayer?: string
}

const { FakeMap, FakeMarker, maps, markers, protocols } = vi.hoisted(() => {
  const maps: InstanceType<typeof FakeMap>[] = []
  const markers = new Set<object>()
  const protocols = new Map<string, (request: { url: string }, abort: AbortController) => Promise<unknown>>()
  class FakeMap {
    readonly listeners = new Map<string, Listener[]>()
    readonly moves: unknown[][] = []
    readonly styles: [StyleSpecification, { transformStyle: (before: unknown, next: StyleSpecification) => StyleSpecification }][] = []
    readonly drawn = new Map<string, unknown>()
    readonly refreshed: unknown[][] = []
    rendered: Rendered[] = []
    tiles: Record<string, string> = {}
    tilesLoaded = true
    repaints = 0
    zoom = 9
    fits: { zoom: number } | undefined = { zoom: 11 }
    touchZoomRotate = { disableRotation: () => undefined }
    canvas = { style: { cursor: '' } }
    leaves: object[] = []
    expansion = 12
    constructor(readonly options: Record<string, unknown>) {
      maps.push(this)
    }
    on = (name: string, f: Listener) => void this.listeners.set(name, [...(this.listeners.get(name) ?? []), f])
    once = this.on
    off = (name: string, f: Listener) => void this.listeners.set(name, (this.listeners.get(name) ?? []).filter((g) => g !== f))
    fire = (name: string, event: object = {}) => this.listeners.get(name)?.forEach((f) => f({ ...event }))
    setMissingStyleImageResolver = () => undefined
    getSource = (name: string) => ({
      setData: (data: unknown) => this.drawn.set(name, data),
      getClusterExpansionZoom: () => Promise.resolve(this.expansion),
      getClusterLeaves: () => Promise.resolve(this.leaves),
      tiles: this.tiles[name] ? [this.tiles[name]] : undefined,
    })
    refreshTiles = (...args: unknown[]) => this.refreshed.push(args)
    areTilesLoaded = () => this.tilesLoaded
    loaded = () => true
    triggerRepaint = () => this.repaints++
    getCenter = () => ({ lng: 121.4, lat: 37.5 })
    getZoom = () => this.zoom
    getCanvas = () => this.canvas
    getContainer = () => this.options.container
    getBounds = () => ({ getWest: () => 1, getSouth: () => 2, getEast: () => 3, getNorth: () => 4 })
    queryRenderedFeatures = () => this.rendered
    cameraForBounds = () => this.fits
    easeTo = (to: unknown) => this.moves.push(['easeTo', to])
    flyTo = (to: unknown) => this.moves.push(['flyTo', to])
    fitBounds = (bounds: unknown, options: unknown) => this.moves.push(['fitBounds', bounds, options])
    panBy = (by: unknown) => this.moves.push(['panBy', by])
    setStyle = (...args: (typeof this.styles)[number]) => this.styles.push(args)
    remove = () => undefined
  }
  class FakeMarker {
    at: unknown
    setLngLat(at: unknown) {
      this.at = at
      return this
    }
    addTo() {
      markers.add(this)
      return this
    }
    remove = () => void markers.delete(this)
  }
  return { FakeMap, FakeMarker, maps, markers, protocols }
})
vi.mock('maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url', () => ({ default: '' }))
vi.mock('maplibre-gl', () => ({
  Map: FakeMap, Marker: FakeMarker, setWorkerUrl: () => undefined,
  addProtocol: (name: string, f: never) => protocols.set(name, f), removeProtocol: (name: string) => protocols.delete(name),
}))

const style = (over: object = {}) => ({ version: 8, sources: { devices: { type: 'geojson', data: { type: 'FeatureCollection', features: [] } }, base: { type: 'vector', tiles: [] } }, layers: [], ...over }) as StyleSpecification
const some: FeatureCollection = { type: 'FeatureCollection', features: [{ type: 'Feature', geometry: { type: 'Point', coordinates: [1, 2] }, properties: {} }] }
const none = { top: 0, right: 0, bottom: 0, left: 0 }
let still = false

beforeEach(() => {
  vi.useFakeTimers()
  still = false
  vi.stubGlobal('matchMedia', () => ({ matches: still }))
  vi.stubGlobal('requestAnimationFrame', (f: () => void) => setTimeout(f, 16))
  vi.stubGlobal('cancelAnimationFrame', clearTimeout)
  const element = () => ({ dataset: {}, append: () => undefined })
  vi.stubGlobal('document', { createElement: element })
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

/** A map of this size, loaded, with what it told the page. */
function open({ width = 1000, height = 600, view = null as { zoom: number; lon: number; lat: number } | null } = {}) {
  const told: unknown[][] = []
  const tell = (name: string) => (...args: unknown[]) => void told.push([name, ...args])
  const names: (keyof MapEvents)[] = ['ready', 'picked', 'clicked', 'pointer', 'moved', 'taken', 'rested', 'tileError', 'lost']
  const events = Object.fromEntries(names.map((name) => [name, tell(name)])) as unknown as MapEvents
  const container = { clientWidth: width, clientHeight: height } as HTMLElement
  const controller = new MapController(container, style(), view, { bounds: [119, 36, 122, 38], insets: { ...none, left: 300 } }, events)
  const map = maps.at(-1)!
  const of = (name: keyof MapEvents) => told.filter(([n]) => n === name).map(([, ...args]) => (args.length === 1 ? args[0] : args))
  return { controller, map, told, of, load: () => map.fire('style.load') }
}
const at = (lng: number, lat: number) => ({ lngLat: { lng, lat }, point: { x: 10, y: 10 }, preventDefault: () => undefined })
const device = (id: string, over: object = {}): Rendered => ({ source: 'devices', layer: { id: 'device-point' }, properties: { id, level: 1, name_zh: '甲', name_en: 'A' }, geometry: { type: 'Point', coordinates: [121, 37] }, ...over })

test('a map opens at the link’s view, else at the city beside the panels', () => {
  expect(open({ view: { zoom: 8, lon: 121, lat: 37 } }).map.options).toMatchObject({ center: [121, 37], zoom: 8 })
  expect(open().map.options).toMatchObject({ bounds: [119, 36, 122, 38], fitBoundsOptions: { padding: { left: 324, right: 24 } } })
  expect(open({ width: 400 }).map.options).toMatchObject({ fitBoundsOptions: { padding: 24 } }) // the panels leave no room
})

test('what came before the map was ready is drawn when it is, and again after its graphics were lost', () => {
  const { controller, map, of, load } = open()
  controller.setData('devices', some)
  expect([map.drawn.size, controller.bounds()]).toEqual([0, null])
  load()
  expect([map.drawn.get('devices'), of('ready').length, of('moved')]).toEqual([some, 1, [{ zoom: 9, lon: 121.4, lat: 37.5 }]])
  expect(controller.bounds()).toEqual([1, 2, 3, 4])
  map.fire('webglcontextlost')
  expect([controller.ready, of('lost')]).toEqual([false, [true]])
  map.drawn.clear()
  controller.setData('alert-areas', some)
  map.fire('webglcontextrestored')
  load()
  expect([[...map.drawn.keys()].sort(), of('lost'), controller.ready]).toEqual([['alert-areas', 'devices'], [true, false], true])
})

test('another style keeps what the live sources hold; the same is nothing to do', () => {
  const { controller, map, load } = open()
  load()
  controller.setStyle(style())
  expect(map.styles).toHaveLength(0)
  controller.setData('devices', some)
  const dark = style({ name: 'dark' })
  controller.setStyle(dark)
  controller.setStyle(style({ name: 'dark' }))
  expect(map.styles).toHaveLength(1)
  const shown = map.styles[0]![1].transformStyle(undefined, dark)
  expect([shown.sources.devices, shown.sources.base]).toEqual([{ type: 'geojson', data: some }, dark.sources.base])
})

test('a map that lost its graphics is given its style when they are back', () => {
  const { controller, map, load } = open()
  load()
  map.fire('webglcontextlost')
  controller.setStyle(style({ name: 'dark' }))
  expect(map.styles).toHaveLength(0)
  load()
  controller.setStyle(style({ name: 'dark' }))
  expect(map.styles).toHaveLength(1)
})

test('a click chooses what is under it, or nothing; before the map is ready it does nothing', async () => {
  const { map, of, load } = open()
  map.rendered = [device('D1'), device('D1'), { ...device('x'), layer: { id: 'land' } }]
  map.fire('click', at(121, 37))
  expect(of('picked')).toEqual([])
  load()
  map.fire('click', at(121, 37))
  map.rendered = []
  map.fire('click', at(121, 37))
  const [first, second] = of('picked') as Pick[][]
  expect([first!.map((p) => `${p.kind} ${p.id} ${p.level}`), second]).toEqual([['device D1 1'], []])
})

test('a cluster is zoomed into until it opens; where it never does its devices are listed', async () => {
  const { map, of, load } = open()
  load()
  map.rendered = [device('', { properties: { point_count: 3, cluster_id: 7 } })]
  map.leaves = [{ properties: { id: 'D1', level: 2 } }, { properties: { id: 'D2', level: 0 } }]
  const press = async () => {
    map.fire('click', at(121, 37))
    await vi.advanceTimersByTimeAsync(0)
  }
  await press()
  expect(map.moves).toEqual([['easeTo', { center: [121, 37], zoom: 12.3, duration: 300 }]])
  expect(of('taken')).toHaveLength(1)
  map.zoom = 12.3 // as far as it goes, and they still stand on one spot
  await press()
  expect((of('picked')[0] as Pick[]).map((p) => p.id)).toEqual(['D1', 'D2'])
  map.expansion = 20
  map.zoom = 9
  await press()
  expect([map.moves.length, of('picked').length]).toEqual([1, 2])
})

test('a cluster of a tile is only zoomed into', async () => {
  const { map, load } = open()
  load()
  map.rendered = [{ source: 'hospital', layer: { id: 'hospital' }, properties: { count: 5 }, geometry: { type: 'Point', coordinates: [120, 36] } }]
  map.fire('click', at(120, 36))
  await vi.advanceTimersByTimeAsync(0)
  expect(map.moves).toEqual([['easeTo', { center: [120, 36], zoom: 11, duration: 300 }]])
})

test('while a line is drawn clicks are its points, and a double click does not zoom', () => {
  const { controller, map, of, load } = open()
  load()
  controller.drawing = true
  map.rendered = [device('D1')]
  const kept = vi.fn()
  map.fire('click', at(1, 2))
  map.fire('dblclick', { ...at(3, 4), preventDefault: kept })
  expect([of('clicked'), of('picked'), kept.mock.calls.length]).toEqual([[[[1, 2], false], [[3, 4], true]], [], 1])
  controller.drawing = false
  map.fire('dblclick', { ...at(3, 4), preventDefault: kept })
  expect([of('clicked').length, kept.mock.calls.length]).toEqual([2, 1])
})

test('the pointer is told once a frame, and shows what can be chosen', () => {
  const { controller, map, of, load } = open()
  load()
  const move = () => {
    map.fire('mousemove', at(1, 2))
    map.fire('mousemove', at(3, 4))
    vi.advanceTimersByTime(16)
    return map.canvas.style.cursor
  }
  expect(move()).toBe('')
  expect(of('pointer')).toEqual([[1, 2]])
  map.rendered = [device('D1')]
  expect(move()).toBe('pointer')
  controller.drawing = true
  expect(move()).toBe('crosshair')
  map.fire('mouseout')
  expect(of('pointer').at(-1)).toBeNull()
})

test('only the viewer’s own movement takes the map', () => {
  const { map, of } = open()
  map.fire('movestart', {})
  map.fire('movestart', { originalEvent: undefined })
  expect(of('taken')).toHaveLength(0)
  map.fire('movestart', { originalEvent: {} })
  map.fire('moveend')
  expect([of('taken').length, of('rested').length, of('moved').length]).toEqual([1, 1, 1])
})

test('a movement ends in the middle of what the panels leave; who wants no motion gets a jump', () => {
  const { controller, map } = open()
  const insets = { top: 100, right: 0, bottom: 0, left: 300 }
  controller.flyTo([121, 37], undefined, insets)
  controller.flyTo([121, 37], 6, none, 0)
  controller.fit([1, 2, 3, 4], none)
  controller.nudge([10, -5])
  still = true
  controller.flyTo([121, 37], 13, none)
  controller.fit([1, 2, 3, 4], none)
  controller.zoomBy(1)
  expect(map.moves).toEqual([
    ['flyTo', { center: [121, 37], zoom: 11, offset: [150, 50], duration: 900, essential: true }],
    ['easeTo', { center: [121, 37], zoom: 6, offset: [0, 0], duration: 0 }],
    ['fitBounds', [1, 2, 3, 4], { padding: { top: 24, right: 24, bottom: 24, left: 24 }, maxZoom: 12.5, duration: 900 }],
    ['panBy', [-10, 5]],
    ['easeTo', { center: [121, 37], zoom: 13, offset: [0, 0], duration: 0 }],
    ['fitBounds', [1, 2, 3, 4], expect.objectContaining({ duration: 0 })],
    ['easeTo', { zoom: 10, duration: 0 }],
  ])
})

test('an area too large to be read at its whole is shown around its middle', () => {
  const { controller, map } = open()
  controller.fit([120, 36, 122, 38], none, { least: 12 })
  expect(map.moves[0]).toMatchObject(['flyTo', { center: [121, 37], zoom: 12 }])
  map.fits = undefined // no camera shows it
  controller.fit([120, 36, 122, 38], none, { least: 12 })
  expect(map.moves[1]![0]).toBe('fitBounds')
})

test('a rise flashes where it is for three seconds', () => {
  const { controller } = open()
  controller.flash([121, 37], 1)
  expect([...markers]).toMatchObject([{ at: [121, 37] }])
  vi.advanceTimersByTime(3000)
  expect(markers.size).toBe(0)
})

test('an error of a source is a tile that is missing; another error is not', () => {
  const { map, of } = open()
  const said = vi.spyOn(console, 'error').mockImplementation(() => undefined)
  map.fire('error', { error: new Error('x') })
  expect([of('tileError'), said.mock.calls.length]).toEqual([[], 1])
  map.fire('error', { sourceId: 'land', error: new Error('x') })
  expect(of('tileError')).toEqual([true])
  said.mockRestore()
})

const address = 'https://map.example/tiles/land,land.label/8/212/97.mvt'
const seen = (etag: string) => ({ sourceId: 'land', coord: { canonical: { z: 8, x: 212, y: 97 } }, tile: { etag } })
/** A map that shows one tile of land, which the server has as etag. */
async function tiled() {
  const page = open()
  page.map.tiles = { land: 'https://map.example/tiles/land,land.label/{z}/{x}/{y}.mvt' }
  let etag = '"1"'
  vi.stubGlobal('fetch', async () => new Response('x', { headers: { ETag: etag } }))
  const { url } = page.controller.tiles.transformRequest(address, 'Tile' as never)
  const load = () => protocols.get(url.split('://')[0]!)!({ url }, new AbortController())
  page.load()
  page.map.fire('sourcedataloading', seen(etag))
  await load()
  page.map.fire('sourcedata', seen(etag))
  return { ...page, url, fetchTile: load, change: (next: string) => (etag = next) }
}

test('tiles go through the page’s own loader, everything else does not', async () => {
  const { controller, url } = await tiled()
  expect(url).toMatch(/^tiles-[a-z0-9]+:\/\/https:\/\/map\.example/)
  const sprite = 'https://map.example/sprite.json'
  expect([controller.tiles.transformRequest(sprite, 'SpriteJSON' as never).url, controller.tiles.transformRequest(address, 'Glyphs' as never).url]).toEqual([sprite, address])
})

test('a notice refreshes the tiles that it names, and no others', async () => {
  const { controller, map } = await tiled()
  controller.tiles.notice({ type: 'tiles', all: false, layers: [{ layer: 'land', ranges: [[8, 0, 0, 1, 1]] }, { layer: 'hospital', ranges: null }] })
  vi.advanceTimersByTime(2000)
  expect(map.refreshed).toEqual([])
  controller.tiles.notice({ type: 'tiles', all: false, layers: [{ layer: 'land', ranges: [[8, 212, 97, 212, 97]] }] })
  vi.advanceTimersByTime(2000)
  expect(map.refreshed).toEqual([['land', [{ z: 8, x: 212, y: 97 }]]])
})

test('after a gap every tile in view is fetched again, and one that came back unchanged lets the map come to rest', async () => {
  const { controller, map, fetchTile } = await tiled()
  controller.tiles.doubt()
  vi.advanceTimersByTime(2000)
  expect(map.refreshed).toEqual([['land', [{ z: 8, x: 212, y: 97 }]]])
  map.tilesLoaded = false
  await fetchTile()
  vi.advanceTimersByTime(500)
  expect(map.repaints).toBe(0)
  map.tilesLoaded = true
  vi.advanceTimersByTime(500)
  expect(map.repaints).toBe(1)
})

test('a tile that is drawn from an older answer than the newest is fetched again', async () => {
  const { map, fetchTile, change } = await tiled()
  change('"2"')
  await fetchTile()
  map.fire('sourcedata', seen('"1"'))
  vi.advanceTimersByTime(2000)
  expect(map.refreshed).toHaveLength(1)
})

test('a map that is taken down asks for nothing more', async () => {
  const { controller, map, url } = await tiled()
  controller.tiles.doubt()
  controller.remove()
  vi.advanceTimersByTime(5000)
  expect([map.refreshed, protocols.has(url.split('://')[0]!)]).toEqual([[], false])
})
