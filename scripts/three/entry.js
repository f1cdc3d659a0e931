export { AmbientLight, AnimationMixer, Box3, BufferAttribute, Color, DirectionalLight, MeshBasicMaterial,
  MeshLambertMaterial, MeshNormalMaterial, PerspectiveCamera, Scene, Vector3, WebGLRenderer } from 'three';
export { OrbitControls } from 'three/addons/controls/OrbitControls.js';
export { GLTFLoader } from 'three/addons/loaders/GLTFLoader.js';
