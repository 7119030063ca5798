import { expect, test } from 'vitest'
import { decodeSettings, encodeSettings } from '@/features/layers/layers'
import { plainDrawer } from '@/shared/workspace/ui'
import { plainFilter, readUrl, writeUrl, type UrlState } from './urlstate'

const state: UrlState = {
  view: { zoom: 9.5, lon: 121.39, lat: 37.54 },
  layers: 'hazard_zone:0.5,hospital:0',
  alert: 12,
  card: { kind: 'feature', layer: 'hazard_zone', id: '20001' },
  pin: [121.39123, -37.5],
  filter: { levels: [1, 3], handling: ['new', 'resolved'], query: '水位 & x', cleared: false },
  drawer: { tab: 'table', hours: 6, own: { from: '2026-11-27T08:00', to: '2026-11-28T09:30' }, which: 'offline', query: 'wl' },
  link: { language: 'en', theme: 'light' },
  wall: true,
  panels: 'lt',
}

test('a link gives back what it was made from', () => {
  expect(readUrl(writeUrl(state))).toEqual(state)
  const device: UrlState = { ...state, card: { kind: 'device', id: 'yt-370602-wl-0001' }, panels: '', drawer: { ...plainDrawer(), hours: 168 } }
  expect(readUrl(writeUrl(device))).toEqual(device)
})

const plain: UrlState = {
  view: null, layers: '', alert: null, card: null, pin: null, filter: plainFilter(), drawer: plainDrawer(), link: { language: null, theme: null }, wall: false, panels: null,
}

test('what is at its default is left out', () => {
  expect(writeUrl({ ...plain, panels: 'la' })).toEqual({})
})

test('a range that is none is left out', () => {
  expect(writeUrl({ ...plain, drawer: { ...plainDrawer(), own: { from: '', to: '' } } })).toEqual({})
})

test('nonsense in a link is no state', () => {
  const q = { v: '9/91/0', alert: '-1', card: 'device:<script>', theme: 'pink', lang: 'de', wall: 'yes', pin: '200,1', levels: '0.7.x', handling: 'none', range: '2026-13-40T00:00~', tab: 'x', devices: 'y' }
  expect(readUrl(q)).toEqual(plain)
  for (const pin of ['1', '1,91', 'a,b', '1,2,3', ',']) expect(readUrl({ pin }).pin, pin).toBeNull()
  for (const v of ['', '9', '9/37', '9/37/121/4', 'a/b/c', '9//121x', '9//121', '//']) expect(readUrl({ v }).view, v).toBeNull()
})

test('layer settings go through a link, and only what differs', () => {
  const settings = { county: { visible: true, opacity: 1 }, hospital: { visible: false, opacity: 1 }, '@devices': { visible: true, opacity: 0.55 } }
  const text = encodeSettings(settings)
  expect(text).toBe('@devices:0.55,hospital:0')
  expect(decodeSettings(text)).toEqual({ hospital: settings.hospital, '@devices': settings['@devices'] })
  expect(decodeSettings('x:2,:1,a:,DROP:1,b:0.5')).toEqual({ b: { visible: true, opacity: 0.5 } })
})
