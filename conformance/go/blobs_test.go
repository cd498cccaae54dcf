package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
)

const mebibyte = 1 << 20

// content is the same in every run and does not compress.
func content(size int) []byte {
	made := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{20}).Read(made)
	return made
}

// box makes a container for one test.
func box(t *testing.T) (*azblob.Client, string) {
	t.Helper()
	client, err := azblob.NewClient(here.Account, machine(t), nil)
	must(t, err)
	name := fmt.Sprintf("go-%x", time.Now().UnixNano())
	_, err = client.CreateContainer(context.Background(), name, nil)
	must(t, err)
	return client, name
}

func read(t *testing.T, client *azblob.Client, container, name string, options *azblob.DownloadStreamOptions) []byte {
	t.Helper()
	answer, err := client.DownloadStream(context.Background(), container, name, options)
	must(t, err)
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	must(t, err)
	return all
}

func TestTwentyMebibytesComeBackAsTheyWent(t *testing.T) {
	client, container := box(t)
	wanted := content(20 * mebibyte)
	_, err := client.UploadBuffer(context.Background(), container, "whole", wanted, nil)
	must(t, err)
	if !bytes.Equal(read(t, client, container, "whole", nil), wanted) {
		t.Fatal("other bytes came back")
	}
	_, err = client.UploadStream(context.Background(), container, "pieces", bytes.NewReader(wanted),
		&azblob.UploadStreamOptions{BlockSize: mebibyte, Concurrency: 4})
	must(t, err)
	got := make([]byte, len(wanted))
	_, err = client.DownloadBuffer(context.Background(), container, "pieces", got,
		&azblob.DownloadBufferOptions{BlockSize: mebibyte, Concurrency: 4})
	must(t, err)
	if !bytes.Equal(got, wanted) {
		t.Fatal("other bytes came back in pieces")
	}
}

func TestRangesAreExact(t *testing.T) {
	client, container := box(t)
	wanted := content(70000)
	_, err := client.UploadBuffer(context.Background(), container, "b", wanted, nil)
	must(t, err)
	for _, r := range []blob.HTTPRange{{Offset: 0, Count: 1}, {Offset: 65535, Count: 2}, {Offset: 69999}} {
		end := int64(len(wanted))
		if r.Count > 0 {
			end = r.Offset + r.Count
		}
		got := read(t, client, container, "b", &azblob.DownloadStreamOptions{Range: r})
		if !bytes.Equal(got, wanted[r.Offset:end]) {
			t.Fatalf("%+v", r)
		}
	}
	_, err = client.DownloadStream(context.Background(), container, "b",
		&azblob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: 70000, Count: 1}})
	refused(t, err, 416, string(bloberror.InvalidRange))
}

func TestNamesKeepTheirLetters(t *testing.T) {
	client, container := box(t)
	names := []string{"Ordner/Grüße & more/100% #1?.txt", "a b+c", "back\\slash", "trailing.dot.", "~tilde(1)!*'", "日本/語.txt", "a//b", "%41"}
	for _, name := range names {
		_, err := client.UploadBuffer(context.Background(), container, name, []byte(name), nil)
		must(t, err)
		if got := read(t, client, container, name, nil); string(got) != name {
			t.Fatalf("%q holds %q", name, got)
		}
	}
	var listed []string
	for pager := client.NewListBlobsFlatPager(container, nil); pager.More(); {
		page, err := pager.NextPage(context.Background())
		must(t, err)
		for _, item := range page.Segment.BlobItems {
			listed = append(listed, value(item.Name))
		}
	}
	slices.Sort(names)
	if !slices.Equal(listed, names) {
		t.Fatalf("%q instead of %q", listed, names)
	}
}

func TestListsGoOnOverPages(t *testing.T) {
	client, container := box(t)
	for number := range 25 {
		_, err := client.UploadBuffer(context.Background(), container, fmt.Sprintf("many/%03d", number), []byte("x"), nil)
		must(t, err)
	}
	var pages []int
	pager := client.NewListBlobsFlatPager(container, &azblob.ListBlobsFlatOptions{
		Prefix: to.Ptr("many/"), MaxResults: to.Ptr(int32(10))})
	for pager.More() {
		page, err := pager.NextPage(context.Background())
		must(t, err)
		pages = append(pages, len(page.Segment.BlobItems))
	}
	if !slices.Equal(pages, []int{10, 10, 5}) {
		t.Fatal(pages)
	}
}

func TestPropertiesAreKeptAndADeletedBlobIsGone(t *testing.T) {
	client, container := box(t)
	_, err := client.UploadBuffer(context.Background(), container, "dressed", []byte("{}"), &azblob.UploadBufferOptions{
		HTTPHeaders: &blob.HTTPHeaders{BlobContentType: to.Ptr("application/json")},
		Metadata:    map[string]*string{"Owner": to.Ptr("tests")}})
	must(t, err)
	one := client.ServiceClient().NewContainerClient(container).NewBlobClient("dressed")
	properties, err := one.GetProperties(context.Background(), nil)
	must(t, err)
	if value(properties.ContentType) != "application/json" || value(properties.ContentLength) != 2 || properties.ETag == nil {
		t.Fatalf("%+v", properties)
	}
	_, err = client.DeleteBlob(context.Background(), container, "dressed", nil)
	must(t, err)
	_, err = client.DownloadStream(context.Background(), container, "dressed", nil)
	refused(t, err, 404, string(bloberror.BlobNotFound))
}

func TestWithoutARoleTheAccountStaysClosed(t *testing.T) {
	client, err := azblob.NewClient(here.ClosedAccount, machine(t), nil)
	must(t, err)
	_, err = client.CreateContainer(context.Background(), "mine", nil)
	refused(t, err, 403, string(bloberror.AuthorizationPermissionMismatch))
}
