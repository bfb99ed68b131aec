// Svelte 5 with runes everywhere; styles go to files, never into the script.
export default {
  compilerOptions: { runes: true, css: "external" },
};
