// The little that htmx doesn't do: filling a comment from a chip, and emptying it once it was said.
(() => {
  document.addEventListener('click', (event) => {
    const chip = event.target.closest('[data-fill]');
    if (!chip) return;
    const text = chip.form.elements.text;
    text.value = chip.dataset.fill;
    text.focus();
  });

  document.getElementById('people').addEventListener('change', (event) => {
    for (const role of document.querySelectorAll('.role')) role.hidden = role.dataset.of !== event.target.value;
  });

  document.addEventListener('keydown', (event) => {
    if (event.target.name !== 'text') return;
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) event.target.form.requestSubmit();
  });

  document.body.addEventListener('said', (event) => { event.target.elements.text.value = ''; });

  // What was unfolded stays so when it is swapped.
  const unfolded = new Set();
  document.addEventListener('toggle', (event) => {
    if (event.target.isConnected) unfolded[event.target.open ? 'add' : 'delete'](event.target.id);
  }, true);
  document.body.addEventListener('htmx:oobAfterSwap', () => {
    for (const about of document.querySelectorAll('#checks details')) about.open = unfolded.has(about.id);
  });

  const gone = document.getElementById('gone');
  document.body.addEventListener('htmx:sendError', () => { gone.hidden = false; });
  document.body.addEventListener('htmx:afterOnLoad', () => { gone.hidden = true; });
})();
