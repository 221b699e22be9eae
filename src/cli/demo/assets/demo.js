// The little that htmx doesn't do: filling the comment from a chip, and emptying it once it was said.
(() => {
  const form = document.getElementById('compose');
  const text = form.elements.text;

  document.addEventListener('click', (event) => {
    const chip = event.target.closest('[data-fill]');
    if (!chip) return;
    text.value = chip.dataset.fill;
    text.focus();
  });

  document.getElementById('people').addEventListener('change', (event) => {
    for (const role of document.querySelectorAll('.role')) role.hidden = role.dataset.of !== event.target.value;
  });

  text.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });

  document.body.addEventListener('said', () => { text.value = ''; });

  const gone = document.getElementById('gone');
  document.body.addEventListener('htmx:sendError', () => { gone.hidden = false; });
  document.body.addEventListener('htmx:afterOnLoad', () => { gone.hidden = true; });
})();
