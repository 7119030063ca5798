import { afterEach, expect, test, vi } from 'vitest'
import { aLayer } from '@/shared/testing/fixtures'
import { aServer, refusal } from '@/shared/testing/server'
import type { Layer } from '@/shared/api/types'
import { withDrawableStyles } from './drawable'
import type { LayerStyle } from './fragment'
import { plainStyle, simpleFragment } from './simple'
import { useStyleEditor } from './useStyleEditor'

afterEach(() => vi.unstubAllGlobals())

const title = { zh: '塘坝', en: 'Ponds' }
const pond = (style?: LayerStyle, over: Partial<Layer> = {}) => aLayer('pond', { title, geometry_type: 'Polygon', version: 7, style: style as Layer['style'], ...over })
const made = simpleFragment({ ...plainStyle('area', title), colour: 'water' })

test('a style that the form made is shown in the form, another as text, a layer without one in the form', () => {
  expect(useStyleEditor(pond(made), () => {}).form?.colour).toBe('water')
  expect(useStyleEditor(pond(made), () => {}).tab.value).toBe('simple')
  expect(useStyleEditor(pond({ ...made, from: 3 }), () => {}).tab.value).toBe('json')
  expect(useStyleEditor(pond(), () => {}).tab.value).toBe('simple')
  const mixed = useStyleEditor(pond(undefined, { geometry_type: 'Geometry' }), () => {})
  expect([mixed.tab.value, mixed.form, mixed.text.value]).toEqual(['json', undefined, '{\n  "layers": []\n}'])
})

test('what is chosen is sent with the version that was seen', async () => {
  const calls = aServer({ 'PUT /api/v1/layers/pond/style': pond(made), 'DELETE /api/v1/layers/pond/style': pond() })
  const done = vi.fn()
  const editor = useStyleEditor(pond(), done)
  editor.form!.colour = 'water'
  await editor.save()
  expect(done).toHaveBeenCalledOnce()
  expect(calls[0]!.body).toEqual(made)
  expect(calls[0]!.headers['If-Match']).toBe('"7"')
  await editor.remove()
  expect(calls.map((c) => c.method)).toEqual(['PUT', 'DELETE'])
})

test('what is said in one tab is said in the other; a text that the form cannot say stays', () => {
  const editor = useStyleEditor(pond(), () => {})
  editor.form!.colour = 'ok'
  editor.tab.value = 'json'
  expect(JSON.parse(editor.text.value)).toEqual(simpleFragment({ ...plainStyle('area', title), colour: 'ok' }))
  editor.text.value = JSON.stringify(made)
  editor.tab.value = 'simple'
  expect([editor.form!.colour, editor.lossy.value]).toEqual(['water', false])
  editor.tab.value = 'json'
  editor.text.value = JSON.stringify({ ...made, from: 3 })
  editor.tab.value = 'simple'
  expect(editor.lossy.value).toBe(true)
  editor.tab.value = 'json'
  expect(JSON.parse(editor.text.value)).toEqual({ ...made, from: 3 })
  editor.tab.value = 'simple'
  editor.form!.colour = 'ok'
  editor.tab.value = 'json'
  expect(JSON.parse(editor.text.value)).not.toHaveProperty('from')
})

test('what is no JSON, and what MapLibre cannot draw, is not sent; what the server refuses stands with its path', async () => {
  const calls = aServer({
    'PUT /api/v1/layers/pond/style': refusal(400, { field: 'style.layers[0].paint.fill-color', code: 'style-token', params: { value: 'leveles.1' }, detail: 'x', kind: 'invalid' }),
  })
  const editor = useStyleEditor(pond(), () => {})
  editor.tab.value = 'json'
  editor.text.value = '{'
  await editor.save()
  expect(editor.faults.value[0]).toMatchObject({ path: 'style' })
  expect(editor.faults.value[0]!.text).toContain('不是 JSON')
  const paint = (value: unknown) => JSON.stringify({ layers: [{ id: '-fill', slot: 'areas', type: 'fill', paint: { 'fill-color': value } }] })
  editor.text.value = paint(['get'])
  await editor.save()
  expect(editor.faults.value[0]!.path).toMatch(/^style\.layers\[0\]\.paint\.fill-color/)
  expect(calls).toEqual([])
  editor.text.value = paint({ $token: 'leveles.1' })
  await editor.save()
  expect(editor.faults.value).toEqual([{ path: 'style.layers[0].paint.fill-color', text: '没有颜色 "leveles.1"' }])
  expect(editor.elsewhere.value).toBe(false)
  for (const odd of ['null', '[]', '{"layers":[1]}']) {
    editor.text.value = odd
    await editor.save()
  }
  expect(calls.map((c) => c.body)).toEqual([expect.anything(), null, [], { layers: [1] }])
})

test('a layer whose style cannot be drawn is drawn without it', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const bad: LayerStyle = { layers: [{ id: '-fill', slot: 'areas', type: 'fill', paint: { 'fill-color': ['get'] } }] }
  const unknown: LayerStyle = { layers: [{ id: '-fill', slot: 'areas', type: 'fill', paint: { 'fill-color': { $token: 'pink' } } }] }
  const plain = [pond()]
  expect(await withDrawableStyles(plain)).toBe(plain)
  for (let i = 0; i < 2; i++) {
    const layers = await withDrawableStyles([pond(made), pond(bad), pond(unknown), pond()])
    expect(layers.map((l) => l.style !== undefined)).toEqual([true, false, false, false])
  }
  expect(warn).toHaveBeenCalledTimes(2) // once for each style
  warn.mockRestore()
})
