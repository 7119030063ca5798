// The pin of a place that was looked for: it stays until it is closed.

import { Marker, type Map as MapLibre } from 'maplibre-gl'

/** Shows a pin with its words at lon, lat; the result takes it away. closed is called by its button. */
export function showPin(map: MapLibre, at: [number, number], words: { label: string; close: string }, closed: () => void): () => void {
  // The marker's own element is MapLibre's to move; what is drawn is inside of it.
  const element = document.createElement('div')
  element.className = 'map-pin'
  element.dataset.testid = 'map-pin'
  const label = Object.assign(document.createElement('span'), { className: 'map-pin-label', textContent: words.label })
  const close = Object.assign(document.createElement('button'), { type: 'button', textContent: '×', title: words.close })
  close.setAttribute('aria-label', words.close)
  close.dataset.testid = 'map-pin-close'
  close.addEventListener('click', (event) => {
    event.stopPropagation()
    closed()
  })
  label.append(close)
  element.append(label, Object.assign(document.createElement('i'), { className: 'map-pin-foot' }))
  const marker = new Marker({ element, anchor: 'bottom' }).setLngLat(at).addTo(map)
  return () => marker.remove()
}
