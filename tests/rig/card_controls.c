/* Mixer controls for alsa-lib like those of kernel cards: levels in dB, switches, a sidetone.
 * gcc -shared -fPIC -DPIC card_controls.c -o libasound_module_ctl_parleycard.so -lasound
 * The state belongs to the process and is shared by all that open the controls. */
#include <alsa/asoundlib.h>
#include <alsa/control_external.h>

struct element {
	const char *name;
	long max;	/* 1: a switch */
	int lowest_db;	/* at 0; each step is 1 dB */
	long value[2];
};

static struct element elements[] = {
	{ "Speaker Playback Volume", 37, -37, { 7, 7 } },	/* a USB stick */
	{ "Speaker Playback Switch", 1, 0, { 0, 0 } },
	{ "Headphone Playback Volume", 127, -121, { 127, 127 } },	/* a WM8960: to +6 dB */
	{ "Left Output Mixer PCM Playback Switch", 1, 0, { 0, 0 } },
	{ "Mic Playback Volume", 23, -23, { 3, 3 } },	/* sidetone */
	{ "Mic Playback Switch", 1, 0, { 0, 0 } },
};

#define COUNT (sizeof(elements) / sizeof(elements[0]))

static int elem_count(snd_ctl_ext_t *ext)
{
	(void)ext;
	return COUNT;
}

static int elem_list(snd_ctl_ext_t *ext, unsigned int offset, snd_ctl_elem_id_t *id)
{
	(void)ext;
	if (offset >= COUNT)
		return -EINVAL;
	snd_ctl_elem_id_set_interface(id, SND_CTL_ELEM_IFACE_MIXER);
	snd_ctl_elem_id_set_name(id, elements[offset].name);
	return 0;
}

static snd_ctl_ext_key_t find_elem(snd_ctl_ext_t *ext, const snd_ctl_elem_id_t *id)
{
	unsigned int numid = snd_ctl_elem_id_get_numid(id);

	(void)ext;
	if (numid > 0 && numid <= COUNT)
		return numid - 1;
	for (snd_ctl_ext_key_t key = 0; key < COUNT; key++)
		if (!strcmp(elements[key].name, snd_ctl_elem_id_get_name(id)))
			return key;
	return SND_CTL_EXT_KEY_NOT_FOUND;
}

static int get_attribute(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, int *type,
			 unsigned int *access, unsigned int *count)
{
	int is_switch = elements[key].max == 1;

	(void)ext;
	*type = is_switch ? SND_CTL_ELEM_TYPE_BOOLEAN : SND_CTL_ELEM_TYPE_INTEGER;
	*access = SND_CTL_EXT_ACCESS_READWRITE;
	if (!is_switch)
		*access |= SND_CTL_EXT_ACCESS_TLV_READ | SND_CTL_EXT_ACCESS_TLV_CALLBACK;
	*count = 2;
	return 0;
}

static int get_integer_info(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, long *min, long *max,
			    long *step)
{
	(void)ext;
	*min = 0;
	*max = elements[key].max;
	*step = 1;
	return 0;
}

static int read_integer(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, long *value)
{
	(void)ext;
	memcpy(value, elements[key].value, sizeof(elements[key].value));
	return 0;
}

static int write_integer(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, long *value)
{
	(void)ext;
	memcpy(elements[key].value, value, sizeof(elements[key].value));
	return 1;
}

static int read_event(snd_ctl_ext_t *ext, snd_ctl_elem_id_t *id, unsigned int *event_mask)
{
	(void)ext, (void)id, (void)event_mask;
	return -EAGAIN;
}

static int tlv(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, int op_flag, unsigned int numid,
	       unsigned int *tlv, unsigned int tlv_size)
{
	(void)ext, (void)numid;
	if (op_flag != 0 || tlv_size < 4 * sizeof(*tlv))
		return -ENXIO;
	tlv[0] = SND_CTL_TLVT_DB_SCALE;
	tlv[1] = 2 * sizeof(*tlv);
	tlv[2] = elements[key].lowest_db * 100;
	tlv[3] = 100;
	return 0;
}

static const snd_ctl_ext_callback_t callbacks = {
	.elem_count = elem_count,
	.elem_list = elem_list,
	.find_elem = find_elem,
	.get_attribute = get_attribute,
	.get_integer_info = get_integer_info,
	.read_integer = read_integer,
	.write_integer = write_integer,
	.read_event = read_event,
};

SND_CTL_PLUGIN_DEFINE_FUNC(parleycard)
{
	static snd_ctl_ext_t ext;
	int error;

	(void)root, (void)conf;
	memset(&ext, 0, sizeof(ext));
	ext.version = SND_CTL_EXT_VERSION;
	strcpy(ext.id, "Device");
	strcpy(ext.driver, "parley");
	strcpy(ext.name, "Card of a test");
	strcpy(ext.longname, "Card of a test");
	strcpy(ext.mixername, "Card of a test");
	ext.poll_fd = -1;
	ext.callback = &callbacks;
	ext.tlv.c = tlv;
	error = snd_ctl_ext_create(&ext, name, mode);
	if (error >= 0)
		*handlep = ext.handle;
	return error;
}

SND_CTL_PLUGIN_SYMBOL(parleycard);
